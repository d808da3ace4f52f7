#!/usr/bin/env python3
"""mutate.py [--count N] [--seed N] [--only PATH]... [--parts "lang unit ..."] [--keep DIR]

Plants mistakes into the sources, one at a time, and looks whether the tests notice: a test that
cannot fail proves nothing. A copy of the last commit is built in a scratch folder; then N lines
are chosen by a fixed sequence, each is changed in one of the ways below, and the parts of the
tests are run until one fails. What survives all of them is listed, with the line before and after:
either the tests lack something there, or the change means the same (a limit that is a guess, a fast
path that has a slow one behind it).

By hand, at low priority: a mutant takes as long as a rebuild and the tests.
"""
import argparse
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile

WAYS = [  # (pattern, replacement, name); the first match of a line, or one of them, is replaced
    (r"(?<![<>=!\-])<(?![<=])(?= )", "<=", "< to <="),
    (r"<=(?= )", "<", "<= to <"),
    (r"(?<![>\-=])>(?![>=])(?= )", ">=", "> to >="),
    (r"(?<!>)>=(?= )", ">", ">= to >"),
    (r"==", "!=", "== to !="),
    (r"!=", "==", "!= to =="),
    (r"&&", "||", "and to or"),
    (r"\|\|", "&&", "or to and"),
    (r" \+ 1\b", "", "without + 1"),
    (r" - 1\b", "", "without - 1"),
    (r"\breturn false;", "return true;", "returns true"),
    (r"\breturn true;", "return false;", "returns false"),
    (r"\bif \(!", "if (", "not negated"),
    (r"\bcontinue;", "break;", "break for continue"),
    (r"^(\s+)(\w+(?:->\w+|\.\w+)* [-+|&]?= [^;]*;)\s*$", r"\1;", "assignment dropped"),
    (r"^(\s+)(gc_\w*(?:store|touch|barrier)\w*\(.*\);)\s*$", r"\1;", "barrier dropped"),
    (r"^(\s+)(\w+\([^;]*\);)\s*$", r"\1;", "call dropped"),
]
LEFT_OUT = re.compile(r"^\s*(//|/\*|\*|#|_Static_assert|static const|assert|OX_|NATIVE|case |X\()|"
                      r"vm_throw|diag_error|\"|\bfor \(")


def candidates(folder, only):
    for root in only:
        for path, _, names in sorted(os.walk(os.path.join(folder, root))):
            for name in sorted(names):
                if name.endswith((".c", ".h")) and "ast_dump" not in name and "/cli" not in path:
                    file = os.path.join(path, name)
                    with open(file, encoding="utf-8") as text:
                        lines = text.readlines()
                    for number, line in enumerate(lines):
                        if line.startswith(" ") and not LEFT_OUT.search(line):
                            for way in WAYS:
                                if re.search(way[0], line):
                                    yield os.path.relpath(file, folder), number, way


def run(command, folder, limit):
    try:
        done = subprocess.run(command, shell=True, cwd=folder, timeout=limit,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return done.returncode, done.stdout.decode(errors="replace")
    except subprocess.TimeoutExpired:
        return 124, "too late"


def commands(parts, seconds):
    def suite(what):
        return f"timeout {seconds} build/tests/run_lang --timeout 20 {what}"
    known = {
        "lang": suite("--arg --verify build/oxbow tests/lang"),
        "spec": suite("build/oxbow SPEC.md docs/tour.md"),
        "examples": suite("--examples examples build/oxbow"),
        "unit": "for t in build/tests/unit/*; do timeout 120 $t >/dev/null 2>&1 || exit 1; done",
        "api": "for t in build/tests/api/*; do timeout 120 $t >/dev/null 2>&1 || exit 1; done",
        "same": "timeout 300 build/tests/same tests/lang/classes tests/lang/fibers",
    }
    return [(part, known[part]) for part in parts.split()]


def try_mutant(folder, mutant, checks, make):
    path, number, (pattern, by, _) = mutant
    file = os.path.join(folder, path)
    with open(file, encoding="utf-8") as text:
        lines = text.readlines()
    before = lines[number]
    lines[number] = re.sub(pattern, by, before, count=1)
    after = lines[number]
    with open(file, "w", encoding="utf-8") as text:
        text.writelines(lines)
    try:
        if run(make, folder, 1200)[0] != 0:
            return "does not compile", before, after
        for part, command in checks:
            if run(command, folder, 900)[0] != 0:
                return "noticed by " + part, before, after
        return "SURVIVED", before, after
    finally:
        lines[number] = before
        with open(file, "w", encoding="utf-8") as text:
            text.writelines(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", action="append")
    parser.add_argument("--parts", default="lang spec unit api")
    parser.add_argument("--keep", help="build in this folder, and leave it")
    options = parser.parse_args()
    folder = options.keep or tempfile.mkdtemp(prefix="oxbow-mutants.")
    os.makedirs(folder, exist_ok=True)
    subprocess.run(f"git archive HEAD | tar -x -C {folder}", shell=True, check=True)
    targets = "products build/tests/run_lang"
    if re.search("unit|api|same", options.parts):
        targets += " tests"
    make = f"make CFLAGS=-O1 {targets}"
    code, output = run(make, folder, 3600)
    if code != 0:
        sys.exit("the sources do not build:\n" + output[-2000:])
    mutants = list(candidates(folder, options.only or ["gc", "lang", "runtime"]))
    random.Random(options.seed).shuffle(mutants)
    checks, tally = commands(options.parts, 300), {}
    for mutant in mutants[:options.count]:
        result, before, after = try_mutant(folder, mutant, checks, make)
        tally[result] = tally.get(result, 0) + 1
        print(f"{mutant[0]}:{mutant[1] + 1}: {mutant[2][2]}: {result}", flush=True)
        if result == "SURVIVED":
            print(f"  - {before.strip()}\n  + {after.strip()}", flush=True)
    print(", ".join(f"{count} {result}" for result, count in sorted(tally.items())))
    if not options.keep:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
