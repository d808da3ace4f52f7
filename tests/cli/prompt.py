#!/usr/bin/env python3
"""prompt.py OXBOW: tests the prompt through a pseudo-terminal, as a person would use it.

Ends with "N passed, N failed". Each test is a function test_...(make) that gets a way to start
sessions; it fails by an exception. No test depends on how long something takes: what is expected
is waited for, up to a limit that only a hang reaches.
"""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import tempfile
import termios
import time
import traceback

OXBOW = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else "build/oxbow"
LIMIT = 20  # seconds until something counts as a hang

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|\x07|\x1b\][^\x07]*\x07")
PROMPT = re.compile(r"(?:^|\n)(> |\.\.\. )$")
UP, REDRAW, TAB, ENTER, CTRL_C, CTRL_D = "\x1b[A", "\x0c", "\t", "\r", "\x03", "\x04"


class Session:
    """A prompt in a pseudo-terminal."""

    def __init__(self, folder, *args, columns=80, term="xterm", env=None):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            variables = {"PATH": os.environ["PATH"], "HOME": folder, "TERM": term,
                         "INPUTRC": "/dev/null", "LC_ALL": "C.UTF-8", **(env or {})}
            for name, value in os.environ.items():
                if name.endswith("SAN_OPTIONS"):
                    variables[name] = value
            os.chdir(folder)
            os.execve(OXBOW, [OXBOW, *args], variables)
        self.resize(columns)
        self.raw = ""
        self.seen = 0  # how much of `raw` has been looked at
        self.status = None

    def resize(self, columns, rows=24):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def text(self):
        """What has come since the last look, without escape sequences."""
        return ESCAPE.sub("", self.raw[self.seen:]).replace("\r", "")

    def _more(self, deadline):
        ready, _, _ = select.select([self.fd], [], [], max(0, deadline - time.time()))
        if not ready:
            raise AssertionError(f"nothing more came; so far: {self.text()!r}")
        try:
            piece = os.read(self.fd, 65536)
        except OSError:
            piece = b""
        self.raw += piece.decode("utf-8", "replace")
        return bool(piece)

    def wait_for(self, pattern):
        """Waits until the pattern is in the new output; gives the output up to it."""
        deadline = time.time() + LIMIT
        while True:
            text = self.text()
            match = re.search(pattern, text)
            if match:
                self.seen = len(self.raw)
                return text
            if not self._more(deadline):
                raise AssertionError(f"it ended without {pattern!r}: {text!r}")

    def prompt(self):
        """Waits for a prompt; gives what was written before it."""
        text = self.wait_for(PROMPT)
        return PROMPT.sub("", text).strip("\n")

    def type(self, text):
        data = text.encode()
        while data:
            data = data[os.write(self.fd, data):]

    def run(self, line):
        """Types a line and gives what comes before the next prompt, without the echo."""
        self.type(line)
        self.wait_for(re.escape(line[-8:]))
        self.type(ENTER)
        return self.prompt()

    def end(self):
        """Waits for the end; gives what came and the exit status."""
        deadline = time.time() + LIMIT
        while self._more(deadline):
            pass
        _, status = os.waitpid(self.pid, 0)
        self.status = os.waitstatus_to_exitcode(status)
        os.close(self.fd)
        self.pid = 0
        return self.text(), self.status

    def kill(self):
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            os.close(self.fd)


class Maker:
    """Starts sessions in a scratch folder and ends those that a test left behind."""

    def __init__(self, folder):
        self.folder = folder
        self.sessions = []

    def __call__(self, *args, **options):
        session = Session(self.folder, *args, **options)
        self.sessions.append(session)
        session.prompt()
        return session

    def write(self, name, text):
        with open(os.path.join(self.folder, name), "w", encoding="utf-8") as file:
            file.write(text)

    def read(self, name):
        with open(os.path.join(self.folder, name), encoding="utf-8") as file:
            return file.read()

    def close(self):
        for session in self.sessions:
            session.kill()


def expect(got, want):
    if got != want:
        raise AssertionError(f"\n  got:    {got!r}\n  wanted: {want!r}")


def expect_in(part, text):
    if part not in text:
        raise AssertionError(f"\n  got:   {text!r}\n  lacks: {part!r}")


# ---- evaluating ----


def test_values_are_shown(make):
    s = make()
    expect(s.run("1 + 2"), "3")
    expect(s.run('"a" + "b"'), '"ab"')
    expect(s.run("let n = 5"), "")
    expect(s.run("n * 2"), "10")
    expect(s.run("nil"), "")
    expect(s.run("print(n)"), "5")


def test_underscore_is_the_last_value(make):
    s = make()
    s.run("6 * 7")
    expect(s.run("_ + 1"), "43")
    s.run("nil")
    expect(s.run("_"), "43")


def test_greeting_and_end(make):
    s = make()
    expect_in(":help", s.raw)
    s.type(CTRL_D)
    expect(s.end()[1], 0)


def test_exit_status_of_os_exit(make):
    s = make()
    s.run("import os")
    s.type("os.exit(3)" + ENTER)
    expect(s.end()[1], 3)


def test_words_of_other_prompts(make):
    for word in ["exit", "quit", "exit()", "quit()", ":quit", ":q"]:
        s = make()
        s.type(word + ENTER)
        expect(s.end()[1], 0)
    s = make()
    expect_in(":time", s.run("help"))
    expect_in("len(x)", s.run("help(len)"))
    s.run("let exit = 5")
    expect(s.run("exit"), "5")


def test_a_map_needs_no_parentheses(make):
    s = make()
    expect(s.run('{name: "Ada", "a b": 1}'), '{name: "Ada", "a b": 1}')
    expect(s.run("{}"), "{}")
    expect(s.run("{ print(1) }"), "1")


def test_calls_need_parentheses(make):
    expect_in("a call needs parentheses", make().run("print 5"))


# ---- errors ----


def test_errors_have_a_caret(make):
    s = make(env={"NO_COLOR": "1"})
    got = s.run('let total = 1 + "2"')
    expect(got, "<input 1>:1:13: error: cannot add int and string "
                "(str(x) makes a string of any value)\n"
                '  1 | let total = 1 + "2"\n    |             ^^^^^^^')
    expect(s.run("1"), "1")


def test_colours(make):
    s = make()
    s.run("throw 1")
    expect_in("\x1b[", s.raw)
    s = make(env={"NO_COLOR": "1"})
    before = len(s.raw)
    s.run("throw 1")
    if re.search(r"\x1b\[[0-9;]*m", s.raw[before:]):
        raise AssertionError("colours in spite of NO_COLOR")


def test_syntax_error_keeps_the_session(make):
    s = make()
    s.run("let a = 1")
    expect_in("error", s.run("let = 2"))
    expect(s.run("a"), "1")


# ---- several lines ----


def test_open_lines_go_on(make):
    s = make()
    for line in ["fn twice(x) {", "  let y = x * 2", "  return y"]:
        s.type(line + ENTER)
        s.wait_for(r"\.\.\. $")
    expect(s.run("}"), "")
    expect(s.run("twice(4)"), "8")


def test_the_parser_knows_what_is_open(make):
    s = make()
    for begin, end, value in [("[1,", "2]", "[1, 2]"), ("1 +", "1", "2"),
                              ('len("""', 'abc""")', "3"), ("(2", ")", "2"),
                              ("#[ a comment", "]# 7", "7"), ("if true {", "5 }", "5")]:
        s.type(begin + ENTER)
        s.wait_for(r"\.\.\. $")
        expect(s.run(end), value)
    expect(s.run('"a { in a string"'), '"a { in a string"')
    expect(s.run("3 # a brace { in a comment"), "3")


def test_several_lines_are_one_entry_of_the_history(make):
    s = make()
    for line in ["fn f(x) {", "  return x + 1"]:
        s.type(line + ENTER)
        s.wait_for(r"\.\.\. $")
    s.run("}")
    expect(s.run("f(1)"), "2")
    s.type(UP + UP + REDRAW)
    s.wait_for(r"fn f\(x\) \{\n  return x \+ 1\n\}")
    s.type(ENTER)
    s.prompt()
    expect(s.run("f(2)"), "3")


def test_history_file(make):
    s = make()
    s.run("let first = 1")
    s.type("fn g() {" + ENTER)
    s.wait_for(r"\.\.\. $")
    s.run("}")
    s.type(CTRL_D)
    s.end()
    expect_in("let first = 1\n", make.read(".oxbow_history"))
    s = make()
    s.type(UP + REDRAW)
    s.wait_for(r"fn g\(\) \{\n\}")
    s.type(UP + REDRAW)
    s.wait_for("let first = 1$")
    s.type(ENTER)
    s.prompt()
    expect(s.run("first"), "1")
    expect(os.stat(os.path.join(make.folder, ".oxbow_history")).st_mode & 0o777, 0o600)


def test_history_survives_a_closed_window(make):
    s = make()
    s.run("let kept = 1")
    os.kill(s.pid, signal.SIGHUP)
    s.end()
    expect_in("let kept = 1", make.read(".oxbow_history"))


def test_history_elsewhere_or_nowhere(make):
    s = make(env={"OXBOW_HISTORY": os.path.join(make.folder, "mine")})
    s.run("1")
    expect_in("1\n", make.read("mine"))
    s = make(env={"OXBOW_HISTORY": ""})
    s.run("2")
    s.type(CTRL_D)
    s.end()
    if os.path.exists(os.path.join(make.folder, ".oxbow_history")):
        raise AssertionError("a history file in spite of OXBOW_HISTORY=")
    s = make(env={"OXBOW_HISTORY": "/nowhere/at/all"})
    expect(s.run("3"), "3")


def test_the_same_line_twice_is_one_entry(make):
    s = make()
    s.run("41")
    s.run("42")
    s.run("42")
    s.type(UP + UP + REDRAW)
    s.wait_for("41$")


def test_pasted_lines(make):
    s = make()
    s.type("\x1b[200~let a = 1\nfn h(x) {\n  return x\n}\nh(a + 4)\x1b[201~")
    s.wait_for(r"h\(a \+ 4\)")
    s.type(ENTER)
    expect_in("h(a + 4)\n5", s.prompt())
    s.type(UP + REDRAW)
    s.wait_for(r"let a = 1\nfn h")


def test_pasted_lines_without_bracketed_paste(make):
    s = make()
    s.type("let a = 1\rfn h(x) {\r  return x\r}\rh(a + 4)\r")
    s.wait_for(r"\n5\n> $")


# ---- Tab ----


def complete(s, text, want):
    s.type(text + TAB)
    s.wait_for(re.escape(want))
    s.type("\x15")  # Ctrl-U clears the line


def test_tab_completes(make):
    s = make()
    s.run("let config = {server: {port: 8080}}")
    s.run("class Point { horizontal = 1; fn distance() => 5 }")
    s.run("let p = Point()")
    s.run("import math")
    complete(s, "conf", "config")
    complete(s, "config.ser", "config.server")
    complete(s, "config.server.po", "config.server.port")
    complete(s, "p.hor", "p.horizontal")
    complete(s, "p.dist", "p.distance")
    complete(s, "math.sqr", "math.sqrt")
    complete(s, "print(math.flo", "print(math.floor")
    complete(s, "enumer", "enumerate")
    complete(s, "retu", "return")
    complete(s, '"abc".uppe', '"abc".upper')
    complete(s, "import rando", "import random")
    complete(s, "from math import sqr", "from math import sqrt")
    complete(s, ":hel", ":help")
    make.write("a_long_name.oxb", "print(1)\n")
    complete(s, ":load a_lo", ":load a_long_name.oxb")


def test_tab_lists_several(make):
    s = make()
    s.run("let longest = 1")
    s.run("let longer = 2")
    s.type("lon" + TAB)
    s.wait_for("longe")
    s.type(TAB + TAB)
    s.wait_for(r"longer +longest|longest +longer")


def test_tab_runs_nothing(make):
    s = make()
    s.run('fn bad() { print("ran"); return {field: 1} }')
    s.type("bad().fie" + TAB + "\x15" + "1" + ENTER)
    got = s.prompt()
    if "ran" in got.replace("bad()", ""):
        raise AssertionError(got)


# ---- questions and commands ----


def test_question_about_builtins(make):
    s = make()
    expect_in("len(x) -> int\n    Bytes of", s.run("?len"))
    expect_in("math: sqrt(x)", s.run("?math.sqrt"))
    expect_in("math\n", s.run("?math") + "\n")
    expect_in("len(x)", s.run("len?"))
    expect(s.run("?nonesuch"), "nothing is known of 'nonesuch'")


def test_question_about_own_names(make):
    make.write("lib.oxb", "# Areas and such.\n\n# The area\n# of a square.\nexport fn area(side, unit = \"m\") "
                          "=> side * side\n\n# A dot.\nexport class Dot {\n  x = 0\n  fn init(x) "
                          "{ self.x = x }\n}\n")
    s = make()
    s.run('import "lib" as lib')
    expect(s.run("?lib.area"), 'area(side, unit = "m")\n    The area\n    of a square.\n'
                               "    defined in lib.oxb, line 5")
    expect(s.run("?lib.Dot"), "class Dot(x)\n    A dot.\n    defined in lib.oxb, line 8")
    expect_in("lib.oxb, line 1", s.run("?lib"))
    s.run("fn mine(a, b) => a")
    expect(s.run("?mine"), "mine(a, b)\n    defined in <input 2>, line 1")
    s.run("let n = 3")
    expect(s.run("?n"), "n is a value of this session, of type int")


def test_time_and_mem(make):
    s = make()
    expect_in(" s, ", s.run(":time 1 + 1"))
    expect_in("in use", s.run(":mem"))
    expect_in(":time needs code", s.run(":time"))


def test_load(make):
    os.mkdir(os.path.join(make.folder, "sub"))
    make.write("sub/helper.oxb", "export fn two() => 2\n")
    make.write("sub/prog.oxb", 'import "helper" as helper\nlet loaded = helper.two()\nprint("hello")\n')
    s = make()
    expect(s.run(":load sub/prog.oxb"), "hello")
    expect(s.run("loaded"), "2")
    expect_in("cannot read 'missing.oxb'", s.run(":load missing.oxb"))
    expect_in("is a directory", s.run(":load sub").lower())
    expect_in(":load needs a file", s.run(":load"))
    expect(s.run(":load ~/sub/prog.oxb  "), "hello")


def test_help(make):
    got = make().run(":help")
    for part in ["?name", ":time", ":mem", ":load", ":quit", "Ctrl-C", "Tab"]:
        expect_in(part, got)


def test_unknown_commands(make):
    s = make()
    expect_in("did you mean :time?", s.run(":tmie 1"))
    expect_in("did you mean :load?", s.run(":lod x"))
    expect_in("did you mean :help?", s.run(":h"))
    expect_in(":help lists them", s.run(":frobnicate"))


def test_i_after_a_file(make):
    make.write("prog.oxb", 'let secret = 42\nprint("ready")\n')
    s = make("-i", "prog.oxb")
    expect_in("ready", s.raw)
    expect(s.run("secret"), "42")


# ---- how values are shown ----


def test_long_values_are_cut(make):
    s = make()
    got = s.run("[...0..1000]")
    expect_in("[\n  0, 1, 2,", got)
    expect_in("\n  ... 900 more\n]", got)
    expect_in("... 4000 more bytes", s.run('"x".repeat(5000)'))
    s.run("let big = {}")
    s.run('for i in 0..500 { big["key ${i}"] = i }')
    expect_in("... 460 more", s.run("big"))
    expect_in("... 9960 more", s.run("[...0..10000].map(fn(i) => [i])"))


def test_deep_values_are_cut(make):
    s = make()
    s.run("let d = []")
    s.run("for i in 0..100000 { d = [d, i] }")
    expect_in("[[[[... 2 more], ", s.run("d"))


def test_cycles_are_safe(make):
    s = make()
    s.run("let c = [1]; c.push(c)")
    expect(s.run("c"), "[1, [...]]")
    s.run("let m = {}; m.me = m")
    expect(s.run("m"), "{me: {...}}")


def test_wide_records_are_broken(make):
    s = make(columns=40)
    s.run('let p = {name: "Ada Lovelace", born: 1815, tags: ["maths", "poet"]}')
    expect(s.run("p"), '{\n  name: "Ada Lovelace",\n  born: 1815,\n  tags: ["maths", "poet"]\n}')
    s.resize(120)
    expect(s.run("p"), '{name: "Ada Lovelace", born: 1815, tags: ["maths", "poet"]}')


def test_control_characters_are_escaped(make):
    s = make()
    before = len(s.raw)
    expect(s.run('"\\e[31mred\\r\\n"'), '"\\e[31mred\\r\\n"')
    if "\x1b[31m" in s.raw[before:]:
        raise AssertionError("an escape sequence reached the terminal")


def test_a_str_that_throws(make):
    s = make()
    s.run('class Bad { fn str() { throw error("no text") } }')
    expect_in("no text", s.run("Bad()"))
    expect_in("no text", s.run("[Bad()]"))
    expect(s.run("1"), "1")


def test_a_narrow_window(make):
    s = make(columns=20)
    s.type("let value = 1000000 + 2000000 + 3000000" + ENTER)
    s.prompt()
    s.type("value" + ENTER)
    s.wait_for(r"6000000\n> $")


def test_the_window_changes(make):
    s = make()
    s.type("let a = ")
    s.wait_for("let a = ")
    s.resize(30)
    os.kill(s.pid, signal.SIGWINCH)
    s.type("5" + ENTER)
    s.prompt()
    s.type("a" + ENTER)
    s.wait_for(r"\n5\n> $")


# ---- Ctrl-C and Ctrl-D ----


def interrupt(s, code):
    """Runs what never ends, waits until it says so, and stops it."""
    s.type(code + ENTER)
    s.wait_for(r"(?s)\nrunning")
    time.sleep(0.2)
    s.type(CTRL_C)
    expect_in("interrupted", s.prompt())
    expect(s.run("1 + 1"), "2")


def test_ctrl_c_stops_a_loop(make):
    interrupt(make(), 'print("running"); while true { try { while true {} } catch e {} }')


def test_ctrl_c_stops_builtins(make):
    s = make()
    s.run("let xs = []")
    s.run("for i in 0..3000000 { xs.push((i * 7919) % 3000017) }")
    interrupt(s, 'print("running"); while true { xs.sorted() }')
    interrupt(s, 'print("running"); while true { "ab".repeat(10000000).find("ba".repeat(100)) }')
    interrupt(s, 'print("running"); xs.sort(fn(a, b) { while true {} })')


def test_ctrl_c_while_a_value_is_shown(make):
    s = make()
    s.run('class Slow { fn str() { print("running"); while true {} } }')
    interrupt(s, "Slow()")


def test_ctrl_c_often(make):
    s = make()
    for _ in range(5):
        interrupt(s, 'print("running"); while true {}')
    for _ in range(3): # one by one: the terminal drops what was typed before each
        s.type(CTRL_C)
        s.prompt()
    s.type("40 + 2" + ENTER)
    s.wait_for(r"42\n> $")


def test_ctrl_c_while_a_program_reads(make):
    s = make()
    s.run("import io")
    interrupt(s, 'print("running"); io.read_line()')


def test_ctrl_c_at_the_prompt(make):
    s = make()
    s.type("let half = (1 +")
    s.wait_for(r"\(1 \+")
    s.type(CTRL_C)
    s.prompt()
    expect(s.run("2"), "2")
    s.type("fn f() {" + ENTER)
    s.wait_for(r"\.\.\. $")
    s.type(CTRL_C)
    s.wait_for(r"\n> $")
    expect(s.run("3"), "3")


def test_ctrl_d_in_an_open_piece(make):
    s = make()
    s.type("fn f() {" + ENTER)
    s.wait_for(r"\.\.\. $")
    s.type(CTRL_D)
    expect_in("error", s.prompt())
    s.type(CTRL_D)
    expect(s.end()[1], 0)


def test_limits_at_the_prompt(make):
    s = make("--max-memory=16M")
    expect_in("out of memory", s.run('let xs = []; while true { xs.push("x".repeat(100)) }'))
    expect(s.run("1"), "1")


# ---- states ----


def test_diff_of_states(make):
    s = make()
    s.run("let xs = [1]; let ys = [1]; let zs = {deep: [xs]}")
    s.run(":snap before")
    s.run("xs.push(2)")
    got = s.run(":diff before").splitlines()
    expect(got[:2], ["  xs", "  zs"])
    changed = int(re.match(r"objects: (\d+) changed, ", got[-1]).group(1))
    pages = int(re.search(r"; pages: (\d+)$", got[-1]).group(1))
    expect((changed > 0, 0 < pages < 100), (True, True))
    s.run(":snap after")
    expect(s.run(":diff after").splitlines()[0], "no name differs")
    expect(s.run(":undo").splitlines()[0], "1 undone; 1 can be undone, 1 redone")
    expect(s.run(":diff before now").splitlines()[0], "no name differs")
    expect_in("xs", s.run(":diff before after"))
    expect_in("there is no state named 'x'", s.run(":diff x"))
    expect(s.run("xs"), "[1]")


# ---- other terminals ----


def test_dumb_terminal(make):
    s = make(term="dumb")
    expect_in("3", s.run("1 + 2"))
    s.type(CTRL_D)
    expect(s.end()[1], 0)


def test_utf8(make):
    s = make()
    expect(s.run('"größe".upper()'), '"GRÖSSE"' if "GRÖSSE" in s.raw else '"GRÖßE"')
    expect(s.run('"日本" + "語"'), '"日本語"')


def main():
    passed = failed = 0
    wanted = sys.argv[2] if len(sys.argv) > 2 else ""
    for name, test in list(globals().items()):
        if not name.startswith("test_") or wanted not in name:
            continue
        with tempfile.TemporaryDirectory() as folder:
            make = Maker(folder)
            try:
                test(make)
                passed += 1
            except Exception:
                failed += 1
                print(f"FAILED {name}")
                print("  " + traceback.format_exc(limit=-2).strip().replace("\n", "\n  "))
            finally:
                make.close()
    print(f"{passed} passed, {failed} failed")
    return failed > 0


sys.exit(main())
