#!/usr/bin/env python3
"""All programs in Oxbow and in other languages, as a markdown table.

    peers.py --oxbow build/oxbow                 all 32 programs, every peer that is installed
    peers.py --oxbow build/oxbow --build "gcc=build/gccrel/oxbow" --rounds 3
    peers.py --oxbow build/oxbow --programs fib,sieve

The figures are medians of CPU time, user and system, start-up included. Oxbow's is in seconds;
those of the others say how many times as long they took, a ratio formed within the round: above 1,
Oxbow is faster. Everything runs in turns, Lua 5.4 first, whose checksums the others must print. The
column "/ Lua" is what `make bench` prints. A version that is missing is shown as "-", a wrong result
as BAD.
"""
import argparse
import datetime
import os
import statistics
import subprocess
import sys

import timing
from timing import BASE

VERSION_OPTIONS = {"lua5.4": "-v", "luajit": "-v", "node": "--version", "cpython": "--version"}


def first_line(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return done.stdout.decode(errors="replace").strip().split("\n")[0]


def processor():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as f:
            names = [line.split(":")[1].strip() for line in f if line.startswith("model name")]
    except OSError:
        names = []
    return "%d x %s" % (os.cpu_count(), names[0] if names else "processor")


def print_versions(args):
    print("- date: %s" % datetime.date.today().isoformat())
    print("- machine: %s" % processor())
    for name, path in args.ours.items():
        print("- %s: %s" % (name, first_line([path, "--version"])))
    for name, option in VERSION_OPTIONS.items():
        if timing.installed(name):
            print("- %s: %s" % (name, first_line([timing.PEERS[name][0][0], option])))
    print("- each figure: the median of %d runs" % args.rounds)
    print()


def commands_of(args, program):
    commands = {}
    for name in [BASE] + [p for p in timing.PEERS if p != BASE and timing.installed(p)]:
        command = timing.peer_command(name, program)
        if command:
            commands[name] = command
    for name, path in args.ours.items():
        commands[name] = [path, timing.oxbow_source(program)]
    return commands


class Table:
    """Rows as they are measured, and the ratios for the geometric means."""

    def __init__(self, args, columns):
        self.args, self.columns = args, columns
        self.ratios = {c: [] for c in columns}

    def head(self, title):
        print("| %s | Oxbow s | / Lua | %s |" % (title, " | ".join(self.columns)))
        print("| --- |" + " ---: |" * (len(self.columns) + 2))

    def row(self, program, seconds, complaints):
        ours = seconds["oxbow"]
        cells = [program, "%.3f" % statistics.median(ours),
                 "%.2f" % timing.median_ratio(ours, seconds[BASE])]
        for c in self.columns:
            if c in seconds:
                ratio = timing.median_ratio(seconds[c], ours)
                self.ratios[c].append(ratio)
                cells.append("%.2f" % ratio)
            else:
                cells.append("BAD" if any(b.startswith(c) for b in complaints) else "-")
        print("| " + " | ".join(cells) + " |", flush=True)

    def foot(self, count):
        means = [timing.geomean(self.ratios[c]) for c in self.columns]
        cells = ["%.2f" % m for m in means]
        for i, c in enumerate(self.columns):
            if 0 < len(self.ratios[c]) < count:
                cells[i] += " (%d)" % len(self.ratios[c])
        print("| geomean | | %.2f | %s |" % (1 / means[0], " | ".join(cells)))
        print()


def measure_set(args, runner, title, programs):
    columns = [BASE] + [p for p in timing.PEERS if p != BASE and timing.installed(p)]
    table = Table(args, columns + [name for name in args.ours if name != "oxbow"])
    table.head(title)
    complaints = []
    for program in programs:
        seconds, bad = timing.rounds_of(runner, commands_of(args, program), args.rounds)
        if BASE not in seconds or "oxbow" not in seconds:
            sys.exit("%s: %s" % (program, bad))
        complaints += ["%s in %s" % (program, b) for b in bad]
        table.row(program, seconds, bad)
    table.foot(len(programs))
    return complaints


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--oxbow", required=True, help="the command to time")
    parser.add_argument("--build", action="append", default=[], metavar="NAME=PATH",
                        help="another build of it, as a column of its own")
    parser.add_argument("--programs", help="names, separated by commas; default: all")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cpu", type=int, default=0, help="processor to run on; -1: any")
    args = parser.parse_args()
    args.ours = {"oxbow": os.path.abspath(args.oxbow)}
    for build in args.build:
        name, path = build.split("=", 1)
        args.ours[name] = os.path.abspath(path)
    return args


def main():
    args = parse_arguments()
    runner = timing.Runner(args.cpu)
    print_versions(args)
    complaints = []
    for title, name in (("program", "programs"), ("other program", "more")):
        programs = timing.programs_of(name)
        if args.programs:
            programs = [p for p in programs if p in args.programs.split(",")]
        if programs:
            complaints += measure_set(args, runner, title, programs)
    for complaint in complaints:
        print("BAD " + complaint)
    return 1 if complaints else 0


sys.exit(main())
