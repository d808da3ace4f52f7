// A small template engine: a text with {{value|filter}}, {% for x in xs %}, {% if x %}, {% else %}
// and {% end %} is compiled into closures, which then write many pages.
class Scope {
  constructor(vars, outer = null) { this.vars = vars; this.outer = outer; }
  find(name) {
    for (let scope = this; scope !== null; scope = scope.outer) {
      if (name in scope.vars) return scope.vars[name];
    }
    throw new Error(`no value '${name}'`);
  }
}

const FILTERS = {
  upper: (v) => String(v).toUpperCase(),
  escape: (v) => String(v).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;"),
  money: (v) => v.toFixed(2),
  length: (v) => v.length,
};

// [["text", s], ["value", s], ["tag", s], ...]
function tokenize(text) {
  const tokens = [];
  let pos = 0;
  for (;;) {
    let open = text.indexOf("{", pos);
    while (open >= 0 && text[open + 1] !== "{" && text[open + 1] !== "%") {
      open = text.indexOf("{", open + 1);
    }
    if (open < 0) {
      tokens.push(["text", text.slice(pos)]);
      return tokens;
    }
    if (open > pos) tokens.push(["text", text.slice(pos, open)]);
    const value = text[open + 1] === "{";
    const close = text.indexOf(value ? "}}" : "%}", open);
    tokens.push([value ? "value" : "tag", text.slice(open + 2, close).trim()]);
    pos = close + 2;
  }
}

function compilePath(path) {
  const [first, ...rest] = path.split(".");
  if (rest.length === 0) return (scope) => scope.find(first);
  return (scope) => {
    let v = scope.find(first);
    for (const key of rest) v = v[key];
    return v;
  };
}

function compileValue(source) {
  const [path, ...names] = source.split("|");
  const get = compilePath(path);
  const filters = names.map((name) => FILTERS[name]);
  return (scope, out) => {
    let v = get(scope);
    for (const f of filters) v = f(v);
    out.push(String(v));
  };
}

function sequence(parts) {
  return (scope, out) => {
    for (const part of parts) part(scope, out);
  };
}

class Compiler {
  constructor(tokens) { this.tokens = tokens; this.at = 0; }

  // The parts up to an {% end %} or {% else %}, as one function, and which of the two it was.
  block() {
    const parts = [];
    while (this.at < this.tokens.length) {
      const [kind, source] = this.tokens[this.at++];
      if (kind === "text") parts.push((scope, out) => out.push(source));
      else if (kind === "value") parts.push(compileValue(source));
      else if (source === "end" || source === "else") return [sequence(parts), source];
      else if (source.startsWith("for ")) parts.push(this.loop(source));
      else parts.push(this.condition(source));
    }
    return [sequence(parts), null];
  }
  loop(source) {
    const [, name, , path] = source.split(" ");
    const items = compilePath(path);
    const [body] = this.block();
    return (scope, out) => {
      items(scope).forEach((item, index) => {
        body(new Scope({[name]: item, index: index + 1}, scope), out);
      });
    };
  }
  condition(source) {
    const test = compilePath(source.split(" ")[1]);
    const [body, ending] = this.block();
    const otherwise = ending === "else" ? this.block()[0] : null;
    return (scope, out) => {
      if (test(scope)) body(scope, out);
      else if (otherwise) otherwise(scope, out);
    };
  }
}

function compile(text) {
  const [body] = new Compiler(tokenize(text)).block();
  return (vars) => {
    const out = [];
    body(new Scope(vars), out);
    return out.join("");
  };
}

const PAGE = `<h1>{{title|upper}}</h1> { no tag }
<p>{{customer.name|escape}} of {{customer.city}} ordered {{items|length}} things:</p>
{% for item in items %}
  <li class="{% if item.rare %}rare{% else %}plain{% end %}">{{index}}. {{item.name|escape}}
  at {{item.price|money}}{% for tag in item.tags %} #{{tag}}{% end %}</li>
{% end %}
{% if customer.member %}<b>Thank you, {{customer.name|escape|upper}}!</b>{% end %}
`;

const makeOrder = (n) => ({
  title: `order ${n}`,
  customer: {name: `A & B <${n % 7}>`, city: "Oxford", member: n % 3 === 0},
  items: Array.from({length: n % 20}, (_, i) => ({
    name: `thing <${i}>`,
    price: i * 1.25 + n,
    rare: i % 5 === 0,
    tags: ["new", `t${i}`],
  })),
});

let total = 0;
for (let round = 0; round < 90; round++) {
  const render = compile(PAGE);
  for (let n = 0; n < 60; n++) {
    const page = render(makeOrder(round + n));
    total += page.length + page.split("rare").length - 1;
  }
}
console.log(`templates ${total}`);
