#!/usr/bin/env python3
"""forks.py --programs FOLDER --oxbow FILE [--quick]: the part of run.py about forks. Times in microseconds, medians."""
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import figures  # noqa: E402

PARALLEL = """
import time
let tree = map(0..%d, fn(i) => [i, i * 7 %% %d])
fn walk(start) {
  let at = start
  let sum = 0
  for i in 0..%d { at = tree[at][1]; sum += at * i %% 13 }
  return sum
}
fn timed(workers) {
  let start = time.monotonic()
  parallel_map(0..8, fn(i) => walk(i * 1000), {workers: workers})
  return time.monotonic() - start
}
let first = timed(2)
let two = min(timed(2), timed(2))
let one = min(timed(1), timed(1))
print(first, two, one)
"""


def numbers(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, universal_newlines=True)
    return [float(x) for x in done.stdout.split()]


def main():
    args = figures.arguments(__doc__).parse_args()
    figure = figures.Figures("").figure
    forks = os.path.join(args.programs, "forks")
    for mb in (1, 64) if args.quick else (1, 64, 1024):
        idle, call, whole, first, process, rate, before, after = numbers(forks, str(mb))
        print("    %d MB: nothing changed %.2f us, 16 pages on each side %.2f, to the end %.2f; first %.0f; "
              "fork() %.0f; memory %.1f MB, after 100,000 forks %.1f" % (mb, idle, call, whole, first, process, before, after))
        if mb > 1:
            figure("fork_call_warm_%d_mb_us" % mb, call, 15)
            figure("fork_call_cold_%d_mb_us" % mb, first, 100)
            figure("fork_warm_to_end_vs_fork_%d_mb" % mb, whole / process, 1 / 20)
            figure("fork_cold_to_end_vs_fork_%d_mb" % mb, first / process, 1 / 2)
        else:
            figure("forks_a_second_1_mb_heap", rate, 100000, most=False)
    plain, called = numbers(forks, "template")
    figure("forks_a_second_1_mb_vm", plain, 100000, most=False)
    figure("forks_a_second_1_mb_vm_with_a_call", called)
    n, turns = (100000, 1000000) if args.quick else (1000000, 3000000)
    with tempfile.NamedTemporaryFile("w", suffix=".oxb") as program:
        program.write(PARALLEL % (n, n, turns))
        program.flush()
        first, two, one = numbers(args.oxbow, program.name)
    print("    parallel_map: first call %.3f s, two workers %.3f s, one %.3f s" % (first, two, one))
    figure("parallel_map_two_cores_vs_one", one / two, 1.8, most=False)


if __name__ == "__main__":
    sys.exit(main())
