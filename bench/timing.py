"""What the scripts of bench/ share: running a program in an interpreter and measuring it.

The figure is CPU time (user and system) of the whole process, start-up included; peak memory is the
kernel's figure for the process. Each program exists in several languages, does the same work there
and prints the same line of checksums, which is compared before a time counts.
"""
import math
import os
import shutil
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
BASE = "lua5.4"
# name: (command, folder under bench/peers, extension)
PEERS = {
    "lua5.4": (["lua5.4"], "lua", "lua"),
    "luajit-joff": (["luajit", "-joff"], "lua", "lua"),
    "luajit": (["luajit"], "lua", "lua"),
    "node": (["node"], "js", "js"),
    # The interpreter that runs this script: `python3` may be a shell script that looks for one.
    "cpython": ([sys.executable], "python", "py"),
}
SETS = {"programs": "programs", "more": "more"}


def installed(name):
    return shutil.which(PEERS[name][0][0]) is not None


def programs_of(name):
    """The programs of a set, by name."""
    folder = os.path.join(HERE, SETS[name])
    return sorted(f[:-4] for f in os.listdir(folder) if f.endswith(".oxb"))


def all_programs():
    return [p for name in SETS for p in programs_of(name)]


def oxbow_source(program):
    for folder in SETS.values():
        path = os.path.join(HERE, folder, program + ".oxb")
        if os.path.exists(path):
            return path
    sys.exit("there is no program " + program)


def peer_command(name, program):
    """The command that runs a program in a peer, or None where that version is missing."""
    command, folder, extension = PEERS[name]
    path = os.path.join(HERE, "peers", folder, program + "." + extension)
    return command + [path] if os.path.exists(path) else None


class Run:
    """One run of a command: cpu and wall in seconds, rss in KiB, output, and error or None."""

    def __init__(self, figures, done):
        wall, user, system, rss, status = figures.split()
        self.wall, self.cpu, self.rss = float(wall), float(user) + float(system), int(rss)
        self.output = done.stdout.decode(errors="replace").strip()
        self.error = None
        if status != "0":
            text = done.stderr.decode(errors="replace")[-300:].strip()
            self.error = "exit status %s: %s" % (status, text)


class Runner:
    """Runs commands through spawn.c, which pins the child to a processor and measures it alone."""

    def __init__(self, cpu=0, timeout=60):
        self.folder = tempfile.TemporaryDirectory(prefix="oxbow-bench-")
        self.spawn = os.path.join(self.folder.name, "spawn")
        self.result = os.path.join(self.folder.name, "result")
        self.cpu, self.timeout = cpu, timeout
        compile_spawn = ["cc", "-O2", "-o", self.spawn, os.path.join(HERE, "spawn.c")]
        # Static where that links: a process inherits the peak memory of the one it came from.
        if subprocess.run(compile_spawn + ["-static"], capture_output=True, check=False).returncode:
            subprocess.run(compile_spawn, check=True)

    def run(self, command):
        args = [self.spawn, self.result, str(self.cpu), str(self.timeout)] + command
        done = subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        with open(self.result, encoding="ascii") as f:
            return Run(f.read(), done)

    def best(self, command, runs):
        """Several runs of a command that must succeed."""
        got = [self.run(command) for _ in range(runs)]
        for r in got:
            if r.error:
                sys.exit("%s: %s" % (" ".join(command), r.error))
        return got


def rounds_of(runner, commands, rounds):
    """Runs {name: command} in turn, `rounds` times; the first one says what must be printed.

    Gives {name: [seconds of each round]} and a list of complaints; who fails is left out.
    """
    seconds, complaints, expected = {name: [] for name in commands}, [], None
    for _ in range(rounds):
        for name, command in commands.items():
            if name not in seconds:
                continue
            r = runner.run(command)
            expected = r.output if expected is None else expected
            error = r.error
            if not error and r.output != expected:
                error = "printed %r, not %r" % (r.output[:80], expected)
            if error:
                complaints.append("%s: %s" % (name, error))
                del seconds[name]
            else:
                seconds[name].append(r.cpu)
    return seconds, complaints


def median_ratio(above, below):
    """The median of the ratios formed within each round, so that a drift of the machine cancels."""
    return statistics.median(a / b for a, b in zip(above, below))


def geomean(values):
    values = list(values)
    return math.exp(sum(map(math.log, values)) / len(values)) if values else float("nan")
