/* xxh64.h - the 64-bit checksum of images: XXH64 as its public specification defines it (Yann
 * Collet). Against damage by chance, not against people who mean harm. */
#ifndef OX_GC_XXH64_H
#define OX_GC_XXH64_H

#include <stddef.h>
#include <stdint.h>

uint64_t xxh64(const void *bytes, size_t n, uint64_t seed);

#endif
