#!/usr/bin/env python3
"""Times our memory against Boehm's collector, glibc's malloc, mimalloc and jemalloc, in one run.

    run.py --programs build/bench-gc --oxbow build/oxbow [--boehm build/boehm/oxbow]
    run.py ... --quick                 fewer rounds, smaller heaps: a minute or two
    run.py ... --only mark,pauses      some sections

Machines drift, so the memory managers take turns: each round runs every one of them once, a ratio is
formed within its round, and the median of the rounds is what counts. Times are CPU time, user and
system, of the measured part alone; peak memory is the largest resident set.

Boehm's collector runs in its plain, stop-the-world mode with inline free lists, with and without
being told where the pointers lie ("typed"); where both are given, the faster counts. It marks with
one thread, since CPU time is compared. Its incremental modes are left out: they find changed pages by
faults, and a fault costs 21 microseconds on virtual machines, a hundred times what it would elsewhere.

The run ends with one line for each figure: `name: value`, then the target and whether it is met.
"""
import math
import os
import resource
import statistics
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import figures  # noqa: E402

median = statistics.median


class Bench(figures.Figures):
    def __init__(self, args):
        super().__init__()
        self.folder, self.oxbow, self.boehm = args.programs, args.oxbow, args.boehm
        self.quick = args.quick

    def rounds(self, many):
        return max(1, many // 3) if self.quick else many

    def run(self, program, *args):
        """The numbers that a program prints in its last line."""
        return [float(x) for x in self.output(program, *args)[-1].split()]

    def run_lines(self, program, *args):
        """The numbers of its lines `name: value`."""
        return [float(line.split(b":")[1]) for line in self.output(program, *args)]

    def output(self, program, *args):
        command = [os.path.join(self.folder, program)] + [str(a) for a in args]
        env = dict(os.environ, GC_MARKERS="1")
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, check=False)
        if done.returncode != 0:
            sys.exit("%s: status %d: %s" % (" ".join(command), done.returncode, done.stderr.decode()[-400:]))
        return done.stdout.splitlines()

    def turns(self, program, managers, rounds, *args):
        """{manager: [numbers of each round]}, in turns."""
        results = {m: [] for m in managers}
        for _ in range(rounds):
            for m in managers:
                results[m].append(self.run("%s-%s" % (program, m), *args))
        return results


def ratio(results, a, b, column=0):
    """Median over the rounds of a's number over b's; b may be a list: the least of them counts."""
    others = b if isinstance(b, list) else [b]
    best = [min(results[o][i][column] for o in others) for i in range(len(results[a]))]
    return median(x[column] / y for x, y in zip(results[a], best))


def show(title, results, *units):
    print(title, flush=True)
    for manager, rows in results.items():
        numbers = [median(row[i] for row in rows) for i in range(len(units))]
        print("  %-10s" % manager + "".join("%12.3f %s" % pair for pair in zip(numbers, units)), flush=True)


def trees(b):
    managers = ["oxbow", "boehm", "typed", "glibc", "mimalloc"]
    for program, depths in (("gcbench", (16, 18)), ("trees", (16,))):
        for depth in depths:
            r = b.turns(program, managers, b.rounds(7 if depth < 18 else 3), depth)
            show("%s, depth %d" % (program, depth), r, "s", "MB")
            name, strict = "%s_%d" % (program, depth), program == "gcbench"
            b.figure(name + "_time_vs_boehm", ratio(r, "oxbow", ["boehm", "typed"]), 0.6)
            b.figure(name + "_peak_vs_boehm", ratio(r, "oxbow", ["boehm", "typed"], 1), 1 if strict else None)
            b.figure(name + "_time_vs_glibc", ratio(r, "oxbow", "glibc"), 1 if strict else None)
            b.figure(name + "_time_vs_mimalloc", ratio(r, "oxbow", "mimalloc"))


def frames(b):
    for order, target in (("fifo", 0.25), ("random", 0.5)):
        r = b.turns("frames", ["oxbow", "boehm", "glibc", "mimalloc"], b.rounds(5), order)
        show("scope frames, %s death" % order, r, "ns", "MB")
        b.figure("frames_%s_vs_boehm" % order, ratio(r, "oxbow", "boehm"), target)
        b.figure("frames_%s_vs_mimalloc" % order, ratio(r, "oxbow", "mimalloc"))


def mark(b):
    megabytes = 256 if b.quick else 1024
    for order in ("bf", "df", "runs", "shuffled"):
        r = b.turns("mark", ["oxbow", "boehm"], b.rounds(3), order, megabytes)
        show("full mark, %d MB, %s" % (megabytes, order), r, "million objects/s")
        b.figure("mark_%s_rate_vs_boehm" % order, ratio(r, "oxbow", "boehm"),
                 3 if order == "shuffled" else 1.3, most=False, digits=2)


def pauses(b):
    megabytes, turns = (256, 50000) if b.quick else (1024, 300000)
    names = ["turns/s", "p50", "p99", "p99.9", "p99.99", "longest", "of reading"]
    runs = {"oxbow": ("pauses-oxbow", "adaptive"), "stopped": ("pauses-oxbow", "stop"), "boehm": ("pauses-boehm",)}
    rounds = {label: [] for label in runs}
    print("pauses with %d MB alive, every allocation timed by the wall clock" % megabytes)
    for _ in range(b.rounds(3)):
        for label, (program, *mode) in runs.items():
            row = b.run_lines(program, megabytes, turns, *mode)[:len(names)]
            rounds[label].append(row)
            print("  %-10s" % label + "".join("%12.2f %s" % (x, n) for x, n in zip(row, names)), flush=True)
    # Stops that the machine adds (other processes; a loop without memory is stopped for 4 ms now and
    # then) are not in every round: of the longest the least counts, for each.
    longest = {label: min(row[5] for row in rows) for label, rows in rounds.items()}
    b.figure("pause_p99_us", median(row[2] for row in rounds["oxbow"]), 1000, digits=1)
    b.figure("pause_longest_ms", longest["oxbow"] / 1e3, 5)
    b.figure("pause_longest_of_a_loop_that_reads_ms",
             min(row[6] for rows in rounds.values() for row in rows) / 1e3)
    b.figure("pause_longest_vs_boehm", longest["oxbow"] / longest["boehm"], 0.01, digits=4)
    b.figure("pause_throughput_vs_stop_the_world",
             median(x[0] / y[0] for x, y in zip(rounds["oxbow"], rounds["stopped"])), 0.85, most=False)


def minor(b):
    megabytes = 256 if b.quick else 1024
    median_ms, longest = b.run("minor-oxbow", megabytes)
    print("minor collection, %d MB old, 8 MB young: median %.3f ms, longest %.3f" % (megabytes, median_ms, longest))
    b.figure("minor_median_ms", median_ms, 1)


def policy(b):
    megabytes = 64 if b.quick else 256
    rounds = [(b.run("policy-oxbow", megabytes), b.run("policy-oxbow", megabytes, 300))
              for _ in range(b.rounds(3))]
    print("heap size, %d MB alive" % megabytes)
    b.figure("heap_peak_vs_live", median(r[0][1] for r in rounds), 1.5)
    b.figure("heap_time_vs_threefold", median(r[0][0] / r[1][0] for r in rounds), 1.1)
    rounds = [(b.run("policy-oxbow", megabytes, 0, 10), b.run("policy-oxbow", megabytes, 300, 10))
              for _ in range(b.rounds(3))]
    b.figure("heap_peak_vs_live_nine_of_ten_die_young", median(r[0][1] for r in rounds), 1.5)
    b.figure("heap_time_vs_threefold_nine_of_ten_die_young", median(r[0][0] / r[1][0] for r in rounds), 1.1)
    # Lists in a loop of C do nothing but allocate; this is what a program feels.
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "service.oxb")
    rounds = [(b.run("service-oxbow", script, megabytes), b.run("service-oxbow", script, megabytes, 300))
              for _ in range(b.rounds(3))]
    b.figure("heap_peak_vs_live_of_a_service", median(r[0][1] for r in rounds), 1.5)
    b.figure("heap_time_vs_threefold_of_a_service", median(r[0][0] / r[1][0] for r in rounds), 1.1)


def churn(b):
    others = ["glibc", "mimalloc", "jemalloc"]
    for trace in ("server", "compiler", "random", "phases"):
        r = b.turns("churn", ["oxbow"] + others + ["collect"], b.rounds(3), trace)
        show("churn, %s" % trace, r, "s", "MB", "peak/live")
        b.figure("churn_%s_time_vs_best" % trace, ratio(r, "oxbow", others), 1)
        b.figure("churn_%s_peak_vs_best" % trace, ratio(r, "oxbow", others, 2), 1.1)
        b.figure("churn_%s_collected_time_vs_best" % trace, ratio(r, "collect", others))
        b.figure("churn_%s_collected_peak_vs_best" % trace, ratio(r, "collect", others, 2))


# Those of bench/programs that allocate most: all with more than 50 MB in a second.
ALLOCATING = ["binary_trees", "gcbench", "closure_chain", "closure_counter", "json_parse", "string_build",
              "map_ops", "word_count"]


def cpu_of(command):
    """CPU seconds of a command with its start-up, and what it printed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    env = dict(os.environ, GC_MARKERS="1")
    done = subprocess.run(command, stdout=subprocess.PIPE, env=env, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stdout


def interpreter(b):
    print("the interpreter's programs that allocate most, and on Boehm's collector")
    ratios = []
    for name in ALLOCATING:
        path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "programs", name + ".oxb")
        rounds = []
        for _ in range(b.rounds(5)):
            (ours, said), (boehm, said_too) = cpu_of([b.oxbow, path]), cpu_of([b.boehm, path])
            if said != said_too:
                sys.exit("%s prints different things on the two collectors" % name)
            rounds.append((ours, boehm))
        ratios.append(median(x / y for x, y in rounds))
        print("  %-16s %.3f s, %.3f s" % (name, median(r[0] for r in rounds), median(r[1] for r in rounds)),
              flush=True)
        b.figure("interpreter_%s_vs_boehm" % name, ratios[-1])
    b.figure("interpreter_vs_boehm", math.exp(sum(map(math.log, ratios)) / len(ratios)), 0.6)


SECTIONS = {"interpreter": interpreter, "trees": trees, "frames": frames, "mark": mark, "pauses": pauses, "minor": minor, "policy": policy,
            "churn": churn}


def main():
    parser = figures.arguments(__doc__)
    parser.add_argument("--boehm", help="the interpreter on Boehm's collector")
    figures.run_sections(parser, SECTIONS, Bench)


main()
