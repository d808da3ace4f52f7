#!/usr/bin/env python3
"""Memory beside Lua 5.4: bytes of heap per closure, and the peak of each program.

    memory.py --oxbow build/oxbow [--programs binary_trees,sieve] [--markdown]

Bytes per closure come from memory.stats() and from collectgarbage("count"), the programs are
bench/memory/closures.*. The peak is the largest resident set of the process, as the kernel counts
it: the median of three runs.
"""
import argparse
import os
import statistics

import timing


def print_table(head, rows, markdown):
    if markdown:
        print("| " + " | ".join(head) + " |")
        print("| --- |" + " ---: |" * (len(head) - 1))
        for row in rows:
            print("| " + " | ".join(row) + " |")
    else:
        for row in [head] + rows:
            print("%-28s" % row[0] + "".join("%12s" % cell for cell in row[1:]))
    print()


def closures(runner, oxbow):
    """Rows: what is captured, bytes in Oxbow, in Lua."""
    folder = os.path.join(timing.HERE, "memory")
    commands = ([oxbow, os.path.join(folder, "closures.oxb")],
                ["lua5.4", os.path.join(folder, "closures.lua")])
    figures = [dict(line.split() for line in runner.best(c, 1)[0].output.split("\n"))
               for c in commands]
    return [["a closure, variable " + kind] + ["%.0f" % float(f[kind]) for f in figures]
            for kind in figures[0]]


def peak(runner, command):
    return statistics.median(r.rss for r in runner.best(command, 3)) / 1024


def peaks(runner, oxbow, programs):
    """Rows: program, MiB in Oxbow, in Lua, their ratio."""
    rows = []
    for name in programs:
        ours = peak(runner, [oxbow, timing.oxbow_source(name)])
        lua = peak(runner, timing.peer_command(timing.BASE, name))
        rows.append([name, "%.1f" % ours, "%.1f" % lua, "%.2f" % (ours / lua)])
    return rows


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--oxbow", required=True, help="the command to measure")
    parser.add_argument("--programs", help="names, separated by commas; default: all")
    parser.add_argument("--markdown", action="store_true")
    args = parser.parse_args()
    oxbow = os.path.abspath(args.oxbow)
    programs = args.programs.split(",") if args.programs else timing.all_programs()
    runner = timing.Runner()
    print_table(["bytes of heap", "oxbow", "lua5.4"], closures(runner, oxbow), args.markdown)
    rows = peaks(runner, oxbow, programs)
    print_table(["peak memory, MiB", "oxbow", "lua5.4", "ratio"], rows, args.markdown)
    print("geomean of the peaks' ratios: %.2f" % timing.geomean(float(r[3]) for r in rows))


main()
