#!/usr/bin/env python3
"""Times Oxbow against Lua on the programs of bench/programs and bench/peers/lua.

    run.py --oxbow build/oxbow                 all programs
    run.py --oxbow build/oxbow --programs fib,sieve --rounds 9
    run.py --oxbow build/oxbow --against lua5.4,luajit,luajit-joff

The figure is CPU time (user and system) of the whole process, start-up included. Machines drift, so
in every round Lua 5.4 runs directly before the others, and a ratio is formed within the round; the
table shows the medians of the rounds. Each pair of programs does the same work and prints the same
line of checksums; a program whose line differs is shown as BAD and makes the run fail.

The last line is `geomean vs lua5.4: X (N programs)`: below 1 is faster than Lua 5.4.
"""
import argparse
import math
import os
import shutil
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
BASE = "lua5.4"
COMMANDS = {"lua5.4": ["lua5.4"], "luajit": ["luajit"], "luajit-joff": ["luajit", "-joff"]}


class Runner:
    """Runs a command through spawn.c, which measures the child alone."""

    def __init__(self, folder, cpu, timeout):
        self.spawn = os.path.join(folder, "spawn")
        self.result = os.path.join(folder, "result")
        self.cpu, self.timeout = cpu, timeout
        source = os.path.join(HERE, "spawn.c")
        subprocess.run(["cc", "-O2", "-o", self.spawn, source], check=True)

    def run(self, command):
        """Seconds of CPU time, the output, and what went wrong or None."""
        args = [self.spawn, self.result, str(self.cpu), str(self.timeout)] + command
        done = subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        with open(self.result, encoding="ascii") as f:
            _wall, user, system, _rss, status = f.read().split()
        error = None
        if status != "0":
            error = "exit status %s: %s" % (status, done.stderr.decode(errors="replace")[-300:].strip())
        return float(user) + float(system), done.stdout.decode(errors="replace").strip(), error


def measure(runner, program, peers, oxbow, rounds):
    """Median seconds of the base, {name: median ratio}, [complaints]."""
    lua = os.path.join(HERE, "peers", "lua", program + ".lua")
    commands = {name: COMMANDS[name] + [lua] for name in peers}
    commands["oxbow"] = [oxbow, os.path.join(HERE, "programs", program + ".oxb")]
    seconds, ratios, bad = [], {name: [] for name in commands}, []
    for _ in range(rounds):
        base, expected, error = runner.run([BASE, lua])
        if error:
            sys.exit("%s fails in %s: %s" % (program, BASE, error))
        seconds.append(base)
        for name, command in commands.items():
            if any(name in complaint for complaint in bad):
                continue
            cpu, output, error = runner.run(command)
            if not error and output != expected:
                error = "printed %r, not %r" % (output[:80], expected)
            if error:
                bad.append("%s %s: %s" % (program, name, error))
            else:
                ratios[name].append(cpu / base)
    medians = {name: statistics.median(r) for name, r in ratios.items() if len(r) == rounds}
    return statistics.median(seconds), medians, bad


def geomean(values):
    return math.exp(sum(map(math.log, values)) / len(values)) if values else float("nan")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--oxbow", required=True, help="the command to time")
    parser.add_argument("--programs", help="names, separated by commas; default: all")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--against", default="luajit-joff,luajit", help="further columns")
    parser.add_argument("--cpu", type=int, default=0, help="processor to run on; -1: any")
    parser.add_argument("--timeout", type=int, default=60, help="seconds for one run")
    args = parser.parse_args()

    peers = [n for n in args.against.split(",") if n in COMMANDS and n != BASE and shutil.which(COMMANDS[n][0])]
    names = sorted(f[:-4] for f in os.listdir(os.path.join(HERE, "programs")) if f.endswith(".oxb"))
    if args.programs:
        names = args.programs.split(",")
    columns = ["oxbow"] + peers
    print("%-16s %10s" % ("program", BASE + " s") + "".join("%13s" % c for c in columns))
    ratios, complaints = {c: [] for c in columns}, []
    with tempfile.TemporaryDirectory(prefix="oxbow-bench-") as folder:
        runner = Runner(folder, args.cpu, args.timeout)
        for name in names:
            seconds, medians, bad = measure(runner, name, peers, os.path.abspath(args.oxbow), args.rounds)
            complaints += bad
            cells = []
            for column in columns:
                cells.append("%13s" % ("%.3f" % medians[column] if column in medians else "BAD"))
                ratios[column] += [medians[column]] if column in medians else []
            print("%-16s %10.3f" % (name, seconds) + "".join(cells), flush=True)
    for complaint in complaints:
        print("BAD", complaint)
    for peer in peers:
        print("geomean of %s: %.3f (%d programs)" % (peer, geomean(ratios[peer]), len(ratios[peer])))
    print("geomean vs %s: %.3f (%d programs)" % (BASE, geomean(ratios["oxbow"]), len(ratios["oxbow"])))
    return 1 if complaints or len(ratios["oxbow"]) < len(names) else 0


sys.exit(main())
