# A Lisp interpreter (reader, environments, closures, tail calls) and a program for it.
class Symbol:
    __slots__ = ("name",)

    def __init__(self, name):
        self.name = name


class Pair:
    __slots__ = ("head", "tail")

    def __init__(self, head, tail):
        self.head = head
        self.tail = tail


class Closure:
    __slots__ = ("params", "body", "env")

    def __init__(self, params, body, env):
        self.params = params
        self.body = body
        self.env = env


class Env:
    __slots__ = ("vars", "outer")

    def __init__(self, outer):
        self.vars = {}
        self.outer = outer

    def holder(self, name):
        env = self
        while env is not None:
            if name in env.vars:
                return env.vars
            env = env.outer
        raise NameError(name)


class Reader:
    def __init__(self, text):
        self.tokens = text.replace("(", " ( ").replace(")", " ) ").replace("'", " ' ").split()
        self.at = 0
        self.symbols = {}

    def symbol(self, name):
        if name not in self.symbols:
            self.symbols[name] = Symbol(name)
        return self.symbols[name]

    def read(self):
        token = self.tokens[self.at]
        self.at += 1
        if token == "(":
            return self.rest()
        if token == "'":
            return Pair(self.symbol("quote"), Pair(self.read(), None))
        if token[0].isdigit():
            return int(token)
        if token == "nil":
            return None
        return self.symbol(token)

    def rest(self):
        if self.tokens[self.at] == ")":
            self.at += 1
            return None
        head = self.read()
        return Pair(head, self.rest())

    def read_all(self):
        forms = []
        while self.at < len(self.tokens):
            forms.append(self.read())
        return forms


def bind(closure, args):
    env = Env(closure.env)
    param = closure.params
    for arg in args:
        env.vars[param.head.name] = arg
        param = param.tail
    return env


def evaluate(x, env):
    while True:
        if isinstance(x, Symbol):
            return env.holder(x.name)[x.name]
        if not isinstance(x, Pair):
            return x
        form = x.head.name if isinstance(x.head, Symbol) else ""
        if form == "quote":
            return x.tail.head
        if form == "if":
            chosen = x.tail.tail if evaluate(x.tail.head, env) is not None else x.tail.tail.tail
            if chosen is None:
                return None
            x = chosen.head
        elif form == "define":
            value = evaluate(x.tail.tail.head, env)
            env.vars[x.tail.head.name] = value
            return value
        elif form == "set!":
            name = x.tail.head.name
            value = evaluate(x.tail.tail.head, env)
            env.holder(name)[name] = value
            return value
        elif form == "lambda":
            return Closure(x.tail.head, x.tail.tail, env)
        else:
            f = evaluate(x.head, env)
            args = []
            p = x.tail
            while p is not None:
                args.append(evaluate(p.head, env))
                p = p.tail
            if not isinstance(f, Closure):
                return f(*args)
            env = bind(f, args)
            body = f.body
            while body.tail is not None:
                evaluate(body.head, env)
                body = body.tail
            x = body.head


TRUE = Symbol("t")


def truth(b):
    return TRUE if b else None


def new_globals():
    env = Env(None)
    env.vars["t"] = TRUE
    env.vars["+"] = lambda a, b: a + b
    env.vars["-"] = lambda a, b: a - b
    env.vars["*"] = lambda a, b: a * b
    env.vars["mod"] = lambda a, b: a % b
    env.vars["<"] = lambda a, b: truth(a < b)
    env.vars["="] = lambda a, b: truth(a == b)
    env.vars["cons"] = Pair
    env.vars["car"] = lambda p: p.head
    env.vars["cdr"] = lambda p: p.tail
    env.vars["null"] = lambda p: truth(p is None)
    return env


PROGRAM = """
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
"""

total = 0
for _ in range(8):
    globals_ = new_globals()
    for form in Reader(PROGRAM).read_all():
        value = evaluate(form, globals_)
        if isinstance(value, int):
            total = (total * 3 + value) % 1000000007
print(f"lisp {total}")
