# A small template engine: a text with {{value|filter}}, {% for x in xs %}, {% if x %}, {% else %}
# and {% end %} is compiled into closures, which then write many pages.
class Scope:
    def __init__(self, vars, outer=None):
        self.vars = vars
        self.outer = outer

    def find(self, name):
        scope = self
        while scope is not None:
            if name in scope.vars:
                return scope.vars[name]
            scope = scope.outer
        raise KeyError(name)


FILTERS = {
    "upper": lambda v: str(v).upper(),
    "escape": lambda v: str(v).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"),
    "money": lambda v: f"{v:.2f}",
    "length": len,
}


# [("text", s), ("value", s), ("tag", s), ...]
def tokenize(text):
    tokens = []
    pos = 0
    while True:
        start = text.find("{", pos)
        while start >= 0 and text[start + 1] not in "{%":
            start = text.find("{", start + 1)
        if start < 0:
            tokens.append(("text", text[pos:]))
            return tokens
        if start > pos:
            tokens.append(("text", text[pos:start]))
        value = text[start + 1] == "{"
        close = text.find("}}" if value else "%}", start)
        tokens.append(("value" if value else "tag", text[start + 2:close].strip()))
        pos = close + 2


def compile_path(path):
    first, *rest = path.split(".")
    if not rest:
        return lambda scope: scope.find(first)

    def get(scope):
        v = scope.find(first)
        for key in rest:
            v = v[key]
        return v
    return get


def compile_value(source):
    path, *names = source.split("|")
    get = compile_path(path)
    filters = [FILTERS[name] for name in names]

    def write(scope, out):
        v = get(scope)
        for f in filters:
            v = f(v)
        out.append(str(v))
    return write


def compile_text(source):
    return lambda scope, out: out.append(source)


def sequence(parts):
    def write(scope, out):
        for part in parts:
            part(scope, out)
    return write


class Compiler:
    def __init__(self, tokens):
        self.tokens = tokens
        self.at = 0

    # The parts up to an {% end %} or {% else %}, as one function, and which of the two it was.
    def block(self):
        parts = []
        while self.at < len(self.tokens):
            kind, source = self.tokens[self.at]
            self.at += 1
            if kind == "text":
                parts.append(compile_text(source))
            elif kind == "value":
                parts.append(compile_value(source))
            elif source == "end" or source == "else":
                return sequence(parts), source
            elif source.startswith("for "):
                parts.append(self.loop(source))
            else:
                parts.append(self.condition(source))
        return sequence(parts), None

    def loop(self, source):
        _, name, _, path = source.split()
        items = compile_path(path)
        body, _ = self.block()

        def write(scope, out):
            for index, item in enumerate(items(scope)):
                body(Scope({name: item, "index": index + 1}, scope), out)
        return write

    def condition(self, source):
        test = compile_path(source.split()[1])
        body, ending = self.block()
        otherwise = self.block()[0] if ending == "else" else None

        def write(scope, out):
            if test(scope):
                body(scope, out)
            elif otherwise:
                otherwise(scope, out)
        return write


def compile_page(text):
    body, _ = Compiler(tokenize(text)).block()

    def render(vars):
        out = []
        body(Scope(vars), out)
        return "".join(out)
    return render


PAGE = """<h1>{{title|upper}}</h1> { no tag }
<p>{{customer.name|escape}} of {{customer.city}} ordered {{items|length}} things:</p>
{% for item in items %}
  <li class="{% if item.rare %}rare{% else %}plain{% end %}">{{index}}. {{item.name|escape}}
  at {{item.price|money}}{% for tag in item.tags %} #{{tag}}{% end %}</li>
{% end %}
{% if customer.member %}<b>Thank you, {{customer.name|escape|upper}}!</b>{% end %}
"""


def make_order(n):
    return {
        "title": f"order {n}",
        "customer": {"name": f"A & B <{n % 7}>", "city": "Oxford", "member": n % 3 == 0},
        "items": [
            {
                "name": f"thing <{i}>",
                "price": i * 1.25 + n,
                "rare": i % 5 == 0,
                "tags": ["new", f"t{i}"],
            }
            for i in range(n % 20)
        ],
    }


total = 0
for turn in range(90):
    render = compile_page(PAGE)
    for n in range(60):
        page = render(make_order(turn + n))
        total += len(page) + page.count("rare")
print(f"templates {total}")
