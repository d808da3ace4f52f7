#!/usr/bin/env python3
"""forks.py --programs FOLDER --oxbow FILE [--quick]: the part of run.py about forks. Times in microseconds, medians."""
import os
import resource
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
fn serial() { for i in 0..8 { walk(i * 1000) } }
fn parallel(workers) { parallel_map(0..8, fn(i) => walk(i * 1000), {workers: workers}) }
fn timed(f) {
  let start = time.monotonic()
  f()
  return time.monotonic() - start
}
"""


figure = figures.Figures("").figure


def numbers(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, universal_newlines=True)
    return [float(x) for x in done.stdout.split()]


def sizes(forks, mb):
    """A heap of so many MB: slots that are new and slots that were used before."""
    (first, pages, publish, cold, cold_change, cold_end, idle, hot, hot_end, far, far_end, worn, copied, copied_end, bare,
     process, rate, before, after) = numbers(forks, str(mb))
    print("    %d MB: first fork %.0f us; cold: call %.1f, 16 pages changed %.0f, unmapped %.0f; warm: nothing changed %.2f, "
          "16 of 64 pages on each side %.2f, to the end %.2f; 16 anywhere, new to the slot: %.2f, to the end %.2f; after %d "
          "forks in a copy: %.2f, %.2f; fork() %.0f; memory %.1f MB, after 100,000 forks %.1f; a bare write %.2f a page" %
          (mb, first, cold, cold_change, cold_end, idle, hot, hot_end, far, far_end, worn, copied, copied_end, process,
           before, after, bare / pages))
    if mb == 1:
        figure("forks_a_second_1_mb_heap", rate, 100000, most=False)
        return
    figure("fork_call_warm_%d_mb_us" % mb, hot, 15)
    figure("fork_call_warm_pages_anywhere_%d_mb_us" % mb, copied, 15)
    figure("fork_call_warm_pages_new_to_the_slot_%d_mb_us" % mb, far)
    figure("fork_warm_to_end_vs_fork_%d_mb" % mb, hot_end / process, 1 / 20)
    figure("fork_call_cold_%d_mb_us" % mb, cold, 100)
    figure("fork_cold_to_end_vs_fork_%d_mb" % mb, (cold_change + cold_end) / process, 1 / 2)
    figure("publish_a_page_us_%d_mb" % mb, publish / pages, 1)
    figure("publish_vs_bare_write_%d_mb" % mb, publish / bare)


def held(forks, n):
    """So many forks at once."""
    done = subprocess.run([forks, "held", str(n)], stdout=subprocess.PIPE, check=True, universal_newlines=True)
    rows = [[float(x) for x in line.split()] for line in done.stdout.splitlines()]
    for name, (us, size, us_used, size_used, maps, end) in zip(("heaps", "VMs"), rows):
        print("    %d %s of 1 MB held: %.1f us and %.1f KB each, used %.1f us and %.1f KB, %.2f mappings, end %.1f us" %
              (n, name, us, size / 1024, us_used, size_used / 1024, maps, end))
    figure("held_fork_kb", max(row[1] for row in rows) / 1024, 8)
    figure("held_fork_4_pages_written_kb", rows[0][3] / 1024, 40)
    figure("held_fork_after_a_call_kb", rows[1][3] / 1024)
    figure("held_fork_mappings", max(row[4] for row in rows), 2)


def collect(forks, mb):
    """A full collection in a fork."""
    pages, shared, metadata, private = numbers(forks, "collect", str(mb))
    print("    full collection in a fork: %d pages of objects, %d shared afterwards, %d of metadata changed; all it took: "
          "%.1f MB" % (pages, shared, metadata, private))
    figure("fork_collection_objects_shared_percent", 100 * shared / pages, 99.9, most=False)
    figure("fork_collection_metadata_percent", 100 * metadata / pages, 1)


def main():
    args = figures.arguments(__doc__).parse_args()
    forks = os.path.join(args.programs, "forks")
    for mb in (1, 64) if args.quick else (1, 64, 1024):
        sizes(forks, mb)
    held(forks, 10000)
    collect(forks, 16 if args.quick else 64)
    plain, called = numbers(forks, "template")
    figure("forks_a_second_1_mb_vm", plain, 100000, most=False)
    figure("forks_a_second_1_mb_vm_with_a_call", called)
    parallel(args)


def parallel_run(oxbow, args, calls):
    """What the calls print, and the processor time of the whole in seconds."""
    n, turns = (100000, 1000000) if args.quick else (1000000, 3000000)
    with tempfile.NamedTemporaryFile("w", suffix=".oxb") as program:
        program.write(PARALLEL % (n, n, turns) + calls)
        program.flush()
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        printed = numbers(oxbow, program.name)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return printed, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def parallel(args):
    """parallel_map over a shared structure: by the clock, which wants two idle processors, and by processor time, which
    tells how much faster two of them would be at most."""
    def cpu(call):
        return min(parallel_run(args.oxbow, args, call)[1] for _ in range(3))

    oxbow = args.oxbow
    first, two, one = parallel_run(oxbow, args, "let first = timed(fn() => parallel(2))\n"
                                   "let two = min(timed(fn() => parallel(2)), timed(fn() => parallel(2)))\n"
                                   "print(first, two, min(timed(serial), timed(serial)))")[0]
    print("    parallel_map: first call %.3f s, later ones %.3f s, one core %.3f s" % (first, two, one))
    figure("parallel_map_two_cores_vs_one", one / two, 1.8, most=False)
    figure("parallel_map_two_cores_vs_one_first_call", one / first)
    begin, twice = cpu("timed(fn() => parallel(2))\nprint(0)"), cpu("for i in 0..9 { parallel(2) }\nprint(0)")
    none, serial = cpu("print(0)"), cpu("for i in 0..8 { serial() }\nprint(0)")
    print("    processor time: a later call %.3f s, the same on one core %.3f s, the first call %.3f s" %
          ((twice - begin) / 8, (serial - none) / 8, begin - none))
    figure("parallel_map_two_cores_vs_one_by_processor_time", 2 * (serial - none) / (twice - begin), 1.8, most=False)


if __name__ == "__main__":
    sys.exit(main())
