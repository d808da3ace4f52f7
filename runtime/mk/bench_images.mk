# bench_images.mk - what opening an image costs, by itself; MB=50: a smaller one than 500 MB.
.PHONY: bench-images
bench-images: $(OUT)/bench-snapshot/images
	@$< $(or $(MB),500)
