-- A small template engine: a text with {{value|filter}}, {% for x in xs %}, {% if x %}, {% else %}
-- and {% end %} is compiled into closures, which then write many pages.
local Scope = {}
Scope.__index = Scope
local function new_scope(vars, outer) return setmetatable({vars = vars, outer = outer}, Scope) end
function Scope:find(name)
  local scope = self
  while scope do
    local v = scope.vars[name]
    if v ~= nil then return v end
    scope = scope.outer
  end
  error("no value '" .. name .. "'")
end

local filters = {
  upper = function(v) return tostring(v):upper() end,
  escape = function(v)
    return (tostring(v):gsub("&", "&amp;"):gsub("<", "&lt;"):gsub(">", "&gt;"))
  end,
  money = function(v) return string.format("%.2f", v) end,
  length = function(v) return #v end,
}

-- {{"text", s}, {"value", s}, {"tag", s}, ...}
local function tokenize(text)
  local tokens = {}
  local pos = 1
  while true do
    local open = text:find("{[{%%]", pos)
    if open == nil then
      tokens[#tokens + 1] = {"text", text:sub(pos)}
      return tokens
    end
    if open > pos then tokens[#tokens + 1] = {"text", text:sub(pos, open - 1)} end
    local value = text:sub(open + 1, open + 1) == "{"
    local close = text:find(value and "}}" or "%}", open, true)
    local source = text:sub(open + 2, close - 1):match("^%s*(.-)%s*$")
    tokens[#tokens + 1] = {value and "value" or "tag", source}
    pos = close + 2
  end
end

local function split(text, pattern)
  local parts = {}
  for part in text:gmatch(pattern) do parts[#parts + 1] = part end
  return parts
end

local function compile_path(path)
  local rest = split(path, "[^.]+")
  local first = table.remove(rest, 1)
  if #rest == 0 then return function(scope) return scope:find(first) end end
  return function(scope)
    local v = scope:find(first)
    for _, key in ipairs(rest) do v = v[key] end
    return v
  end
end

local function compile_value(source)
  local names = split(source, "[^|]+")
  local get = compile_path(table.remove(names, 1))
  local used = {}
  for i, name in ipairs(names) do used[i] = filters[name] end
  return function(scope, out)
    local v = get(scope)
    for _, f in ipairs(used) do v = f(v) end
    out[#out + 1] = tostring(v)
  end
end

local function sequence(parts)
  return function(scope, out)
    for _, part in ipairs(parts) do part(scope, out) end
  end
end

local Compiler = {}
Compiler.__index = Compiler

-- The parts up to an {% end %} or {% else %}, as one function, and which of the two it was.
function Compiler:block()
  local parts = {}
  while self.at <= #self.tokens do
    local kind, source = self.tokens[self.at][1], self.tokens[self.at][2]
    self.at = self.at + 1
    if kind == "text" then
      parts[#parts + 1] = function(scope, out) out[#out + 1] = source end
    elseif kind == "value" then
      parts[#parts + 1] = compile_value(source)
    elseif source == "end" or source == "else" then
      return sequence(parts), source
    elseif source:sub(1, 4) == "for " then
      parts[#parts + 1] = self:loop(source)
    else
      parts[#parts + 1] = self:condition(source)
    end
  end
  return sequence(parts), nil
end
function Compiler:loop(source)
  local name, path = source:match("^for (%S+) in (%S+)$")
  local items = compile_path(path)
  local body = self:block()
  return function(scope, out)
    for index, item in ipairs(items(scope)) do
      body(new_scope({[name] = item, index = index}, scope), out)
    end
  end
end
function Compiler:condition(source)
  local test = compile_path(source:match("^if (%S+)$"))
  local body, ending = self:block()
  local otherwise = nil
  if ending == "else" then otherwise = self:block() end
  return function(scope, out)
    if test(scope) then body(scope, out) elseif otherwise then otherwise(scope, out) end
  end
end

local function compile(text)
  local body = setmetatable({tokens = tokenize(text), at = 1}, Compiler):block()
  return function(vars)
    local out = {}
    body(new_scope(vars), out)
    return table.concat(out)
  end
end

local page_text = [[
<h1>{{title|upper}}</h1> { no tag }
<p>{{customer.name|escape}} of {{customer.city}} ordered {{items|length}} things:</p>
{% for item in items %}
  <li class="{% if item.rare %}rare{% else %}plain{% end %}">{{index}}. {{item.name|escape}}
  at {{item.price|money}}{% for tag in item.tags %} #{{tag}}{% end %}</li>
{% end %}
{% if customer.member %}<b>Thank you, {{customer.name|escape|upper}}!</b>{% end %}
]]

local function make_order(n)
  local items = {}
  for i = 0, n % 20 - 1 do
    items[i + 1] = {name = "thing <" .. i .. ">", price = i * 1.25 + n, rare = i % 5 == 0,
      tags = {"new", "t" .. i}}
  end
  return {
    title = "order " .. n,
    customer = {name = "A & B <" .. n % 7 .. ">", city = "Oxford", member = n % 3 == 0},
    items = items,
  }
end

local total = 0
for round = 0, 89 do
  local render = compile(page_text)
  for n = 0, 59 do
    local page = render(make_order(round + n))
    local _, rare = page:gsub("rare", "rare")
    total = total + #page + rare
  end
end
print("templates " .. total)
