#!/usr/bin/env python3
"""What snapshots, forks and images cost, beside copies of memory, deepcopy, JSON and fork().

    run.py --programs build/bench-snapshot --oxbow build/oxbow [--no-barrier FILE]
    run.py ... --quick            smaller heaps, fewer rounds
    run.py ... --only core,script some sections

Each figure is a ratio or a time taken in this one run, beside what it is compared with. The run ends with one
line for each figure: `name: value`, then the target and whether it is met.
"""
import copy
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import figures  # noqa: E402
import timing  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))


class Bench(figures.Figures):
    def __init__(self, args):
        super().__init__()
        self.args, self.quick = args, args.quick

    def numbers(self, *command):
        done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, check=True)
        return [float(x) for x in done.stdout.split()]

    def program(self, name, *args):
        return self.numbers(os.path.join(self.args.programs, name), *args)


def core(bench):
    """The call, and cycles of snapshot, stores, restore, on a bare heap."""
    print("\ncore: snapshots of a bare heap (microseconds; copy: memcpy of the same pages)")
    print("    %5s %6s %9s %9s %9s %9s" % ("MB", "pages", "call", "cycle", "loop", "copy"))
    sizes = [(1, 16), (1, 128), (64, 16), (64, 256), (64, 4096)]
    if not bench.quick:
        sizes += [(1024, 16), (1024, 256), (1024, 65536)]
    calls, many, cycles, loops = [], [], [], []
    for mb, pages in sizes:
        call, cycle, loop, copied, _ = bench.program("core", mb, pages)
        print("    %5d %6d %9.2f %9.2f %9.2f %9.2f" % (mb, pages, call, cycle, loop, copied))
        (calls if pages <= 256 else many).append(call)
        if pages == 16:
            cycles.append((cycle - 1) / copied)
            loops.append((loop - 1) / copied)
    bench.figure("snapshot_call_us", max(calls), 2)
    bench.figure("snapshot_call_many_pages_us", max(many), 20)
    bench.figure("cycle_16_pages_less_1us_vs_memcpy", max(cycles), 2.5)
    bench.figure("loop_16_pages_less_1us_vs_memcpy", max(loops), 1.5)


def records():
    """The structure of cycle.oxb."""
    return [{"id": i, "name": "record %d" % i, "place": [i, i + 1]} for i in range(10000)]


def least(rounds, f):
    best = 1e9
    for _ in range(rounds):
        start = time.perf_counter()
        f()
        best = min(best, time.perf_counter() - start)
    return best * 1e6


def script(bench):
    """From a script; and what Python users do instead."""
    print("\nscript: a cycle from a script; 10,000 records put back (microseconds)")
    cycle, empty, put_back = bench.numbers(bench.args.oxbow, os.path.join(HERE, "cycle.oxb"))
    bare = bench.program("core", 1, 16)[1]
    data = records()
    rounds = 3 if bench.quick else 10
    copied = least(rounds, lambda: copy.deepcopy(data))
    text = least(rounds, lambda: json.loads(json.dumps(data)))
    print("    cycle of 16 pages %.2f, without stores %.2f, in C %.2f" % (cycle, empty, bare))
    print("    put back: %.2f, Python's deepcopy %.0f, JSON there and back %.0f" % (put_back, copied, text))
    bench.figure("script_cycle_more_than_c_us", cycle - bare, 5)
    bench.figure("put_back_vs_deepcopy", put_back / copied, digits=5)
    bench.figure("put_back_vs_json", put_back / text, digits=5)


def barrier(bench):
    """The programs of the benchmark with the barrier, without it, and with a snapshot that lives."""
    if not bench.args.no_barrier:
        return
    print("\nbarrier: CPU time, against a build without it (both stop the world)")
    runner = timing.Runner()
    programs = timing.programs_of("programs")
    if bench.quick:
        programs = programs[::4]
    plain, live = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        for program in programs:
            source = timing.oxbow_source(program)
            kept = os.path.join(folder, program + ".oxb")
            with open(source) as read, open(kept, "w") as write:
                write.write("let kept_state = snapshot()\n" + read.read())
            commands = {
                "without": [bench.args.no_barrier, "--gc=stop-world", source],
                "with": [bench.args.oxbow, "--gc=stop-world", source],
                "live": [bench.args.oxbow, "--gc=stop-world", kept],
            }
            seconds, bad = timing.rounds_of(runner, commands, 3 if bench.quick else 7)
            if bad:
                sys.exit("%s: %s" % (program, bad[0]))
            plain[program] = timing.median_ratio(seconds["with"], seconds["without"])
            live[program] = timing.median_ratio(seconds["live"], seconds["without"])
            print("    %-18s %.3f  with a snapshot %.3f" % (program, plain[program], live[program]), flush=True)
    mean = statistics.geometric_mean
    bench.figure("barrier_geomean", mean(plain.values()), 1.02, digits=3)
    bench.figure("barrier_worst", max(plain.values()), 1.05, digits=3)
    bench.figure("barrier_with_snapshot_geomean", mean(live.values()), 1.03, digits=3)
    bench.figure("barrier_with_snapshot_worst", max(live.values()), 1.05, digits=3)


def extern(name):
    """A section that is a program of its own, NAME.py or NAME, and prints lines `name: value`."""
    def section(bench):
        path = os.path.join(HERE, name + ".py")
        if os.path.exists(path):
            command = [sys.executable, path, "--programs", bench.args.programs, "--oxbow", bench.args.oxbow]
        else:
            command = [os.path.join(bench.args.programs, name)]
            if name == "library":
                command.append(bench.args.oxbow)
        if bench.quick:
            command.append("--quick")
        print("\n" + name, flush=True)
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True, universal_newlines=True)
        for line in done.stdout.splitlines():
            if ": " in line and not line.startswith(" "):
                bench.note(line)
            else:
                print(line)
    return section


SECTIONS = {"core": core, "script": script, "barrier": barrier}
SECTIONS.update((name, extern(name)) for name in ("forks", "server", "images", "library")
                if os.path.exists(os.path.join(HERE, name + ".c")) or os.path.exists(os.path.join(HERE, name + ".py")))


def main():
    parser = figures.arguments(__doc__)
    parser.add_argument("--no-barrier", help="a build with -DGC_NO_BARRIER")
    figures.run_sections(parser, SECTIONS, Bench)


main()
