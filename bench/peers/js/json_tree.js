// A JSON parser and an indenting printer that go character by character, as classes.
class Parser {
  constructor(text) { this.text = text; this.pos = 0; }
  peek() { return this.pos < this.text.length ? this.text[this.pos] : ""; }
  fail(what) { throw new Error(`${what} at ${this.pos}`); }
  expect(c) {
    if (this.peek() !== c) this.fail(`expected ${c}`);
    this.pos++;
  }
  skip() {
    for (;;) {
      const c = this.peek();
      if (c !== " " && c !== "\n") return c;
      this.pos++;
    }
  }
  word(text, value) {
    for (const c of text) this.expect(c);
    return value;
  }
  value() {
    const c = this.skip();
    if (c === "{") return this.object();
    if (c === "[") return this.array();
    if (c === '"') return this.string();
    if (c === "t") return this.word("true", true);
    if (c === "f") return this.word("false", false);
    if (c === "n") return this.word("null", null);
    return this.number();
  }
  array() {
    const items = [];
    this.expect("[");
    if (this.skip() === "]") { this.pos++; return items; }
    for (;;) {
      items.push(this.value());
      if (this.skip() === "]") { this.pos++; return items; }
      this.expect(",");
    }
  }
  object() {
    const entries = new Map();
    this.expect("{");
    if (this.skip() === "}") { this.pos++; return entries; }
    for (;;) {
      this.skip();
      const key = this.string();
      this.skip();
      this.expect(":");
      entries.set(key, this.value());
      if (this.skip() === "}") { this.pos++; return entries; }
      this.expect(",");
    }
  }
  string() {
    const parts = [];
    this.expect('"');
    for (;;) {
      const c = this.peek();
      if (c === "") this.fail("open string");
      this.pos++;
      if (c === '"') return parts.join("");
      parts.push(c === "\\" ? this.escape() : c);
    }
  }
  escape() {
    const c = this.peek();
    this.pos++;
    if (c === "n") return "\n";
    if (c === "t") return "\t";
    if (c !== "u") return c;
    const code = parseInt(this.text.slice(this.pos, this.pos + 4), 16);
    this.pos += 4;
    return String.fromCharCode(code);
  }
  digits(start) {
    let n = start;
    for (;;) {
      const c = this.peek();
      if (c < "0" || c > "9") return n;
      n = n * 10 + (c.charCodeAt(0) - 48);
      this.pos++;
    }
  }
  number() {
    const negative = this.peek() === "-";
    if (negative) this.pos++;
    const start = this.pos;
    let n = this.digits(0);
    if (this.pos === start) this.fail("expected a value");
    if (this.peek() === ".") {
      this.pos++;
      const point = this.pos;
      n = this.digits(n) / 10 ** (this.pos - point);
    }
    return negative ? -n : n;
  }
}

const ESCAPES = new Map([['"', '\\"'], ["\\", "\\\\"], ["\n", "\\n"], ["\t", "\\t"]]);

class Printer {
  constructor() { this.out = []; }
  line(indent) { this.out.push("\n" + "  ".repeat(indent)); }
  value(v, indent) {
    if (typeof v === "string") this.string(v);
    else if (Array.isArray(v)) this.array(v, indent);
    else if (v instanceof Map) this.object(v, indent);
    else if (v === null) this.out.push("null");
    else this.out.push(String(v));
  }
  string(s) {
    const out = this.out;
    out.push('"');
    for (let i = 0; i < s.length; i++) out.push(ESCAPES.get(s[i]) ?? s[i]);
    out.push('"');
  }
  array(items, indent) {
    if (items.length === 0) { this.out.push("[]"); return; }
    let separator = "[";
    for (const v of items) {
      this.out.push(separator);
      this.line(indent + 1);
      this.value(v, indent + 1);
      separator = ",";
    }
    this.line(indent);
    this.out.push("]");
  }
  object(entries, indent) {
    if (entries.size === 0) { this.out.push("{}"); return; }
    let separator = "{";
    for (const [k, v] of entries) {
      this.out.push(separator);
      this.line(indent + 1);
      this.string(k);
      this.out.push(": ");
      this.value(v, indent + 1);
      separator = ",";
    }
    this.line(indent);
    this.out.push("}");
  }
}

function toText(v) {
  const printer = new Printer();
  printer.value(v, 0);
  return printer.out.join("");
}

const object = (o) => new Map(Object.entries(o));
const makeRecord = (i) => object({
  id: i,
  name: `name "${i % 17}"\tof\n${i}`,
  price: i + 0.25,
  debt: -i,
  tags: ["plain", "back\\slash", i % 2 === 0, null],
  nested: object({empty: [], none: object({}), deeper: object({list: [1, 2, [3, 4]]})}),
});

let text = toText(Array.from({length: 400}, (_, i) => makeRecord(i + 1)));
if (new Parser('["a\\u0041\\u20ac"]').value()[0] !== "aA€") throw new Error("escapes");
let total = 0;
for (let round = 0; round < 10; round++) {
  const tree = new Parser(text).value();
  tree[round].set("id", tree[round].get("id") + 1);
  text = toText(tree);
  for (const r of tree) {
    total += r.get("id") + r.get("name").length + r.get("tags").length;
    total += Math.floor(r.get("price") * 4);
  }
}
console.log(`json_tree ${text.length} ${total}`);
