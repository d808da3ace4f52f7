-- A Lisp interpreter (reader, environments, closures, tail calls) and a program for it.
local Symbol, Pair, Closure = {}, {}, {}
local null = {}                -- the empty list, which can stand in a table
local function new_symbol(name) return setmetatable({name = name}, Symbol) end
local function new_pair(head, tail) return setmetatable({head = head, tail = tail}, Pair) end
local function new_closure(params, body, env)
  return setmetatable({params = params, body = body, env = env}, Closure)
end

local Env = {}
Env.__index = Env
local function new_env(outer) return setmetatable({vars = {}, outer = outer}, Env) end
function Env:holder(name)
  local env = self
  while env do
    if env.vars[name] ~= nil then return env.vars end
    env = env.outer
  end
  error("unbound " .. name)
end

local Reader = {}
Reader.__index = Reader
local function new_reader(text)
  local tokens = {}
  for token in text:gsub("[()']", " %0 "):gmatch("%S+") do tokens[#tokens + 1] = token end
  return setmetatable({tokens = tokens, at = 1, symbols = {}}, Reader)
end
function Reader:symbol(name)
  local s = self.symbols[name]
  if s == nil then
    s = new_symbol(name)
    self.symbols[name] = s
  end
  return s
end
function Reader:read()
  local token = self.tokens[self.at]
  self.at = self.at + 1
  if token == "(" then return self:rest() end
  if token == "'" then return new_pair(self:symbol("quote"), new_pair(self:read(), null)) end
  if token:find("^%d") then return tonumber(token) end
  if token == "nil" then return null end
  return self:symbol(token)
end
function Reader:rest()
  if self.tokens[self.at] == ")" then
    self.at = self.at + 1
    return null
  end
  local head = self:read()
  return new_pair(head, self:rest())
end
function Reader:read_all()
  local forms = {}
  while self.at <= #self.tokens do forms[#forms + 1] = self:read() end
  return forms
end

local function bind(closure, args)
  local env = new_env(closure.env)
  local param = closure.params
  for _, arg in ipairs(args) do
    env.vars[param.head.name] = arg
    param = param.tail
  end
  return env
end

local unpack = table.unpack or unpack
local function eval(x, env)
  while true do
    local kind = getmetatable(x)
    if kind == Symbol then return env:holder(x.name)[x.name] end
    if kind ~= Pair then return x end
    local form = getmetatable(x.head) == Symbol and x.head.name or ""
    if form == "quote" then return x.tail.head end
    if form == "if" then
      local chosen = eval(x.tail.head, env) ~= null and x.tail.tail or x.tail.tail.tail
      if chosen == null then return null end
      x = chosen.head
    elseif form == "define" then
      local value = eval(x.tail.tail.head, env)
      env.vars[x.tail.head.name] = value
      return value
    elseif form == "set!" then
      local name = x.tail.head.name
      local value = eval(x.tail.tail.head, env)
      env:holder(name)[name] = value
      return value
    elseif form == "lambda" then
      return new_closure(x.tail.head, x.tail.tail, env)
    else
      local f = eval(x.head, env)
      local args = {}
      local p = x.tail
      while p ~= null do
        args[#args + 1] = eval(p.head, env)
        p = p.tail
      end
      if getmetatable(f) ~= Closure then return f(unpack(args)) end
      env = bind(f, args)
      local body = f.body
      while body.tail ~= null do
        eval(body.head, env)
        body = body.tail
      end
      x = body.head
    end
  end
end

local truth_symbol = new_symbol("t")
local function truth(b) return b and truth_symbol or null end

local function new_globals()
  local env = new_env(nil)
  env.vars["t"] = truth_symbol
  env.vars["+"] = function(a, b) return a + b end
  env.vars["-"] = function(a, b) return a - b end
  env.vars["*"] = function(a, b) return a * b end
  env.vars["mod"] = function(a, b) return a % b end
  env.vars["<"] = function(a, b) return truth(a < b) end
  env.vars["="] = function(a, b) return truth(a == b) end
  env.vars["cons"] = function(a, b) return new_pair(a, b) end
  env.vars["car"] = function(p) return p.head end
  env.vars["cdr"] = function(p) return p.tail end
  env.vars["null"] = function(p) return truth(p == null) end
  return env
end

local program = [[
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
]]

local total = 0
for _ = 1, 8 do
  local globals = new_globals()
  for _, form in ipairs(new_reader(program):read_all()) do
    local value = eval(form, globals)
    if type(value) == "number" then total = (total * 3 + value) % 1000000007 end
  end
end
print(string.format("lisp %d", total))
