#!/usr/bin/env python3
"""What a scope frame of 48 bytes costs, allocation and collection included: bench/gc/frames.c for
our collector beside a bump pointer, malloc and free of glibc and mimalloc, and Boehm's collector
with its inline free lists.

    frames.py --programs build/bench-gc [--rounds 5] [--live 4096,65536]

`fifo`: the oldest frame dies for each new one, as when calls return in turn; `random`: any. Our
heap and Boehm's may hold three times what lives; the bump pointer frees nothing and runs round an
area of that size. They take turns; the figures are medians of CPU time, the ratios are formed in a
round. With many frames alive the time is that of the caches: a heap of three times the size goes
round more of them than one that is filled again at once, which is what malloc and free do.
"""
import argparse
import os
import statistics
import subprocess
import sys

from timing import median_ratio

MANAGERS = ["bump", "oxbow", "glibc", "mimalloc", "boehm"]


def frames(args, manager, order, live):
    """(nanoseconds per frame, peak MB) of one run."""
    command = [os.path.join(args.programs, "frames-" + manager), order, str(live)]
    env = dict(os.environ, GC_MARKERS="1")
    done = subprocess.run(command, stdout=subprocess.PIPE, env=env, check=False)
    if done.returncode != 0:
        sys.exit("%s: status %d" % (" ".join(command), done.returncode))
    return [float(x) for x in done.stdout.split(b"\n")[-2].split()]


def report(args, order, live):
    times = {m: [] for m in MANAGERS}
    peak = {m: 0 for m in MANAGERS}
    for _ in range(args.rounds):
        for m in MANAGERS:
            ns, megabytes = frames(args, m, order, live)
            times[m].append(ns)
            peak[m] = max(peak[m], megabytes)
    head = ("%s, %d alive" % (order, live), "ns/frame", "peak MB", "ours / it")
    print("%-24s %10s %10s %12s" % head)
    for m in MANAGERS:
        ratio = "%.2f" % median_ratio(times["oxbow"], times[m])
        row = (statistics.median(times[m]), peak[m], "" if m == "oxbow" else ratio)
        print("  %-22s %10.2f %10.1f %12s" % ((m,) + row), flush=True)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", required=True, help="the folder of the programs")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--live", default="4096,65536", help="frames alive at a time")
    args = parser.parse_args()
    for live in args.live.split(","):
        for order in ("fifo", "random"):
            report(args, order, int(live))


main()
