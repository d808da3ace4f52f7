// A Lisp interpreter (reader, environments, closures, tail calls) and a program for it.
class Sym {
  constructor(name) { this.name = name; }
}

class Pair {
  constructor(head, tail) { this.head = head; this.tail = tail; }
}

class Closure {
  constructor(params, body, env) { this.params = params; this.body = body; this.env = env; }
}

class Env {
  vars = new Map();
  constructor(outer) { this.outer = outer; }
  holder(name) {
    for (let env = this; env !== null; env = env.outer) {
      if (env.vars.has(name)) return env.vars;
    }
    throw new Error(`unbound ${name}`);
  }
}

class Reader {
  at = 0;
  symbols = new Map();
  constructor(text) {
    this.tokens = text.replace(/[()']/g, " $& ").trim().split(/\s+/);
  }
  symbol(name) {
    let s = this.symbols.get(name);
    if (s === undefined) this.symbols.set(name, s = new Sym(name));
    return s;
  }
  read() {
    const token = this.tokens[this.at++];
    if (token === "(") return this.rest();
    if (token === "'") return new Pair(this.symbol("quote"), new Pair(this.read(), null));
    if (token[0] >= "0" && token[0] <= "9") return parseInt(token, 10);
    if (token === "nil") return null;
    return this.symbol(token);
  }
  rest() {
    if (this.tokens[this.at] === ")") {
      this.at++;
      return null;
    }
    const head = this.read();
    return new Pair(head, this.rest());
  }
  readAll() {
    const forms = [];
    while (this.at < this.tokens.length) forms.push(this.read());
    return forms;
  }
}

function bind(closure, args) {
  const env = new Env(closure.env);
  let param = closure.params;
  for (const arg of args) {
    env.vars.set(param.head.name, arg);
    param = param.tail;
  }
  return env;
}

function evaluate(x, env) {
  for (;;) {
    if (x instanceof Sym) return env.holder(x.name).get(x.name);
    if (!(x instanceof Pair)) return x;
    const form = x.head instanceof Sym ? x.head.name : "";
    if (form === "quote") return x.tail.head;
    if (form === "if") {
      const chosen = evaluate(x.tail.head, env) !== null ? x.tail.tail : x.tail.tail.tail;
      if (chosen === null) return null;
      x = chosen.head;
    } else if (form === "define") {
      const value = evaluate(x.tail.tail.head, env);
      env.vars.set(x.tail.head.name, value);
      return value;
    } else if (form === "set!") {
      const name = x.tail.head.name;
      const value = evaluate(x.tail.tail.head, env);
      env.holder(name).set(name, value);
      return value;
    } else if (form === "lambda") {
      return new Closure(x.tail.head, x.tail.tail, env);
    } else {
      const f = evaluate(x.head, env);
      const args = [];
      for (let p = x.tail; p !== null; p = p.tail) args.push(evaluate(p.head, env));
      if (!(f instanceof Closure)) return f(...args);
      env = bind(f, args);
      let body = f.body;
      while (body.tail !== null) {
        evaluate(body.head, env);
        body = body.tail;
      }
      x = body.head;
    }
  }
}

const TRUE = new Sym("t");
const truth = (b) => b ? TRUE : null;

function newGlobals() {
  const env = new Env(null);
  env.vars.set("t", TRUE);
  env.vars.set("+", (a, b) => a + b);
  env.vars.set("-", (a, b) => a - b);
  env.vars.set("*", (a, b) => a * b);
  env.vars.set("mod", (a, b) => a % b);
  env.vars.set("<", (a, b) => truth(a < b));
  env.vars.set("=", (a, b) => truth(a === b));
  env.vars.set("cons", (a, b) => new Pair(a, b));
  env.vars.set("car", (p) => p.head);
  env.vars.set("cdr", (p) => p.tail);
  env.vars.set("null", (p) => truth(p === null));
  return env;
}

const PROGRAM = `
  (define fib (lambda (n) (if (< n 2) n (+ (fib (- n 1)) (fib (- n 2))))))
  (define tak (lambda (x y z)
    (if (< y x) (tak (tak (- x 1) y z) (tak (- y 1) z x) (tak (- z 1) x y)) z)))
  (define range (lambda (a b) (if (< a b) (cons a (range (+ a 1) b)) nil)))
  (define map (lambda (f xs) (if (null xs) nil (cons (f (car xs)) (map f (cdr xs))))))
  (define fold (lambda (f a xs) (if (null xs) a (fold f (f a (car xs)) (cdr xs)))))
  (define filter (lambda (f xs)
    (if (null xs) nil
      (if (f (car xs)) (cons (car xs) (filter f (cdr xs))) (filter f (cdr xs))))))
  (define append (lambda (xs ys) (if (null xs) ys (cons (car xs) (append (cdr xs) ys)))))
  (define sort (lambda (xs)
    (if (null xs) nil
      ((lambda (pivot rest)
        (append (sort (filter (lambda (x) (< x pivot)) rest))
          (cons pivot (sort (filter (lambda (x) (if (< x pivot) nil t)) rest)))))
       (car xs) (cdr xs)))))
  (define counter (lambda (n) (lambda () (set! n (+ n 1)))))
  (define loop (lambda (f n) (if (= n 0) (f) ((lambda () (f) (loop f (- n 1)))))))
  (fib 17)
  (tak 10 6 2)
  (fold + 0 (map (lambda (x) (* x x)) (range 0 300)))
  (fold (lambda (a x) (mod (+ (* a 31) x) 1000003)) 7
    (sort (map (lambda (x) (mod (* x 7919) 1009)) (range 1 150))))
  (loop (counter 0) 2000)
  (car (cdr '(1 20 300)))
`;

let total = 0;
for (let round = 0; round < 8; round++) {
  const globals = newGlobals();
  for (const form of new Reader(PROGRAM).readAll()) {
    const value = evaluate(form, globals);
    if (typeof value === "number") total = (total * 3 + value) % 1000000007;
  }
}
console.log(`lisp ${total}`);
