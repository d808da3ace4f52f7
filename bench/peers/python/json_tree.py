# A JSON parser and an indenting printer that go character by character, as classes.
class Parser:
    def __init__(self, text):
        self.text = text
        self.pos = 0

    def peek(self):
        return self.text[self.pos] if self.pos < len(self.text) else ""

    def fail(self, what):
        raise ValueError(f"{what} at {self.pos}")

    def expect(self, c):
        if self.peek() != c:
            self.fail(f"expected {c}")
        self.pos += 1

    def skip(self):
        while True:
            c = self.peek()
            if c != " " and c != "\n":
                return c
            self.pos += 1

    def word(self, text, value):
        for c in text:
            self.expect(c)
        return value

    def value(self):
        c = self.skip()
        if c == "{":
            return self.object()
        if c == "[":
            return self.array()
        if c == '"':
            return self.string()
        if c == "t":
            return self.word("true", True)
        if c == "f":
            return self.word("false", False)
        if c == "n":
            return self.word("null", None)
        return self.number()

    def array(self):
        items = []
        self.expect("[")
        if self.skip() == "]":
            self.pos += 1
            return items
        while True:
            items.append(self.value())
            if self.skip() == "]":
                self.pos += 1
                return items
            self.expect(",")

    def object(self):
        entries = {}
        self.expect("{")
        if self.skip() == "}":
            self.pos += 1
            return entries
        while True:
            self.skip()
            key = self.string()
            self.skip()
            self.expect(":")
            entries[key] = self.value()
            if self.skip() == "}":
                self.pos += 1
                return entries
            self.expect(",")

    def string(self):
        parts = []
        self.expect('"')
        while True:
            c = self.peek()
            if c == "":
                self.fail("open string")
            self.pos += 1
            if c == '"':
                return "".join(parts)
            parts.append(self.escape() if c == "\\" else c)

    def escape(self):
        c = self.peek()
        self.pos += 1
        if c == "n":
            return "\n"
        if c == "t":
            return "\t"
        if c != "u":
            return c
        code = int(self.text[self.pos:self.pos + 4], 16)
        self.pos += 4
        return chr(code)

    def digits(self, n):
        while True:
            c = self.peek()
            if c < "0" or c > "9":
                return n
            n = n * 10 + (ord(c) - 48)
            self.pos += 1

    def number(self):
        negative = self.peek() == "-"
        if negative:
            self.pos += 1
        start = self.pos
        n = self.digits(0)
        if self.pos == start:
            self.fail("expected a value")
        if self.peek() == ".":
            self.pos += 1
            point = self.pos
            n = self.digits(n) / 10 ** (self.pos - point)
        return -n if negative else n


ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t"}


class Printer:
    def __init__(self):
        self.out = []

    def line(self, indent):
        self.out.append("\n" + "  " * indent)

    def value(self, v, indent):
        if isinstance(v, str):
            self.string(v)
        elif isinstance(v, list):
            self.array(v, indent)
        elif isinstance(v, dict):
            self.object(v, indent)
        elif v is None:
            self.out.append("null")
        elif isinstance(v, bool):
            self.out.append("true" if v else "false")
        else:
            self.out.append(str(v))

    def string(self, s):
        out = self.out
        out.append('"')
        for c in s:
            out.append(ESCAPES.get(c, c))
        out.append('"')

    def array(self, items, indent):
        if not items:
            self.out.append("[]")
            return
        separator = "["
        for v in items:
            self.out.append(separator)
            self.line(indent + 1)
            self.value(v, indent + 1)
            separator = ","
        self.line(indent)
        self.out.append("]")

    def object(self, entries, indent):
        if not entries:
            self.out.append("{}")
            return
        separator = "{"
        for k, v in entries.items():
            self.out.append(separator)
            self.line(indent + 1)
            self.string(k)
            self.out.append(": ")
            self.value(v, indent + 1)
            separator = ","
        self.line(indent)
        self.out.append("}")


def to_text(v):
    printer = Printer()
    printer.value(v, 0)
    return "".join(printer.out)


def make_record(i):
    return {
        "id": i,
        "name": f'name "{i % 17}"\tof\n{i}',
        "price": i + 0.25,
        "debt": -i,
        "tags": ["plain", "back\\slash", i % 2 == 0, None],
        "nested": {"empty": [], "none": {}, "deeper": {"list": [1, 2, [3, 4]]}},
    }


text = to_text([make_record(i) for i in range(1, 401)])
assert Parser('["a\\u0041\\u20ac"]').value() == ["aA€"]
total = 0
for i in range(10):
    tree = Parser(text).value()
    tree[i]["id"] += 1
    text = to_text(tree)
    for r in tree:
        total += r["id"] + len(r["name"]) + len(r["tags"]) + int(r["price"] * 4)
print(f"json_tree {len(text)} {total}")
