#!/usr/bin/env python3
"""Times Oxbow against Lua on the programs of bench/programs, or those of bench/more.

    run.py --oxbow build/oxbow                 the 22 programs
    run.py --oxbow build/oxbow --set more      the ten others
    run.py --oxbow build/oxbow --programs fib,sieve --rounds 9
    run.py --oxbow build/oxbow --against luajit,node
    run.py --oxbow build/oxbow --before old/oxbow        an older build beside it

Machines drift, so in every round all commands run one after the other, Lua 5.4 first, and a ratio
is formed within the round; the table shows the medians of the rounds. What runs right after Lua may
read a little high: Oxbow comes last. A program whose checksums differ is shown as BAD and makes the
run fail.

The last line is `geomean vs lua5.4: X (N programs)`: below 1 is faster than Lua 5.4.
"""
import argparse
import os
import statistics
import sys

import timing
from timing import BASE


def commands_of(args, program):
    commands = {BASE: timing.peer_command(BASE, program)}
    for name in args.peers:
        command = timing.peer_command(name, program)
        if command:
            commands[name] = command
    source = timing.oxbow_source(program)
    if args.before:
        commands["before"] = [args.before, source]
    commands["oxbow"] = [args.oxbow, source]
    return commands


def measure(args, runner, program):
    """Median seconds of the base, {name: median ratio}, [complaints]."""
    seconds, bad = timing.rounds_of(runner, commands_of(args, program), args.rounds)
    if BASE not in seconds:
        sys.exit("%s %s" % (program, bad[0]))
    base = seconds.pop(BASE)
    ratios = {name: timing.median_ratio(s, base) for name, s in seconds.items()}
    return statistics.median(base), ratios, ["%s %s" % (program, b) for b in bad]


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--oxbow", required=True, help="the command to time")
    parser.add_argument("--before", help="another build of it, for a column of its own")
    parser.add_argument("--set", choices=sorted(timing.SETS), default="programs")
    parser.add_argument("--programs", help="names, separated by commas; default: all of the set")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--against", default="luajit-joff,luajit", help="further columns, or none")
    parser.add_argument("--cpu", type=int, default=0, help="processor to run on; -1: any")
    parser.add_argument("--timeout", type=int, default=60, help="seconds for one run")
    args = parser.parse_args()
    args.oxbow = os.path.abspath(args.oxbow)
    args.before = args.before and os.path.abspath(args.before)
    args.peers = [n for n in args.against.split(",")
                  if n in timing.PEERS and n != BASE and timing.installed(n)]
    return args


def main():
    args = parse_arguments()
    names = args.programs.split(",") if args.programs else timing.programs_of(args.set)
    columns = args.peers + (["before"] if args.before else []) + ["oxbow"]
    runner = timing.Runner(args.cpu, args.timeout)
    print("%-16s %10s" % ("program", BASE + " s") + "".join("%13s" % c for c in columns))
    ratios, complaints = {c: [] for c in columns}, []
    for name in names:
        seconds, medians, bad = measure(args, runner, name)
        complaints += bad
        cells = ["%13s" % ("%.3f" % medians[c] if c in medians else "BAD") for c in columns]
        print("%-16s %10.3f" % (name, seconds) + "".join(cells), flush=True)
        for c in medians:
            ratios[c].append(medians[c])
    for complaint in complaints:
        print("BAD", complaint)
    for c in columns[:-1]:
        print("geomean of %s: %.3f (%d programs)" % (c, timing.geomean(ratios[c]), len(ratios[c])))
    count = len(ratios["oxbow"])
    print("geomean vs %s: %.3f (%d programs)" % (BASE, timing.geomean(ratios["oxbow"]), count))
    return 1 if complaints or count < len(names) else 0


sys.exit(main())
