-- A JSON parser and an indenting printer that go character by character, as classes. Objects keep
-- the order of their keys, null is a value of its own.
local byte, sub, char = string.byte, string.sub, string.char
local floor = math.floor
local null = {}
local Object = {}
Object.__index = Object
local function new_object() return setmetatable({keys = {}, values = {}}, Object) end
function Object:set(key, value)
  if self.values[key] == nil then self.keys[#self.keys + 1] = key end
  self.values[key] = value
end

local Parser = {}
Parser.__index = Parser
local function new_parser(text) return setmetatable({text = text, pos = 1}, Parser) end

function Parser:peek() return byte(self.text, self.pos) end
function Parser:fail(what) error(what .. " at " .. self.pos) end
function Parser:expect(c)
  if self:peek() ~= c then self:fail("expected " .. char(c)) end
  self.pos = self.pos + 1
end
function Parser:skip()
  while true do
    local c = self:peek()
    if c ~= 32 and c ~= 10 then return c end
    self.pos = self.pos + 1
  end
end
function Parser:word(text, value)
  for i = 1, #text do self:expect(byte(text, i)) end
  return value
end

function Parser:value()
  local c = self:skip()
  if c == 123 then return self:object()
  elseif c == 91 then return self:array()
  elseif c == 34 then return self:string()
  elseif c == 116 then return self:word("true", true)
  elseif c == 102 then return self:word("false", false)
  elseif c == 110 then return self:word("null", null)
  else return self:number() end
end
function Parser:array()
  local items = {}
  self:expect(91)
  if self:skip() == 93 then self.pos = self.pos + 1; return items end
  while true do
    items[#items + 1] = self:value()
    if self:skip() == 93 then self.pos = self.pos + 1; return items end
    self:expect(44)
  end
end
function Parser:object()
  local entries = new_object()
  self:expect(123)
  if self:skip() == 125 then self.pos = self.pos + 1; return entries end
  while true do
    self:skip()
    local key = self:string()
    self:skip()
    self:expect(58)
    entries:set(key, self:value())
    if self:skip() == 125 then self.pos = self.pos + 1; return entries end
    self:expect(44)
  end
end
function Parser:string()
  local parts = {}
  self:expect(34)
  while true do
    local c = self:peek()
    if c == nil then self:fail("open string") end
    self.pos = self.pos + 1
    if c == 34 then return table.concat(parts) end
    parts[#parts + 1] = c == 92 and self:escape() or char(c)
  end
end
local function utf8_char(code)
  if code < 0x80 then return char(code) end
  if code < 0x800 then return char(0xC0 + floor(code / 64), 0x80 + code % 64) end
  return char(0xE0 + floor(code / 4096), 0x80 + floor(code / 64) % 64, 0x80 + code % 64)
end
function Parser:escape()
  local c = self:peek()
  self.pos = self.pos + 1
  if c == 110 then return "\n" end
  if c == 116 then return "\t" end
  if c ~= 117 then return char(c) end
  local code = tonumber(sub(self.text, self.pos, self.pos + 3), 16)
  self.pos = self.pos + 4
  return utf8_char(code)
end
function Parser:digits(start)
  local n = start
  while true do
    local c = self:peek()
    if c == nil or c < 48 or c > 57 then return n end
    n = n * 10 + (c - 48)
    self.pos = self.pos + 1
  end
end
function Parser:number()
  local negative = self:peek() == 45
  if negative then self.pos = self.pos + 1 end
  local start = self.pos
  local n = self:digits(0)
  if self.pos == start then self:fail("expected a value") end
  if self:peek() == 46 then
    self.pos = self.pos + 1
    local point = self.pos
    n = self:digits(n) / 10 ^ (self.pos - point)
  end
  return negative and -n or n
end

local escapes = {['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\t"] = "\\t"}

local Printer = {}
Printer.__index = Printer
function Printer:push(text) self.out[#self.out + 1] = text end
function Printer:line(indent) self:push("\n" .. ("  "):rep(indent)) end
function Printer:value(v, indent)
  local kind = type(v)
  if kind == "string" then self:string(v)
  elseif v == null then self:push("null")
  elseif getmetatable(v) == Object then self:object(v, indent)
  elseif kind == "table" then self:array(v, indent)
  else self:push(tostring(v)) end
end
function Printer:string(s)
  local out = self.out
  out[#out + 1] = '"'
  for i = 1, #s do
    local c = sub(s, i, i)
    out[#out + 1] = escapes[c] or c
  end
  out[#out + 1] = '"'
end
function Printer:array(items, indent)
  if #items == 0 then return self:push("[]") end
  local separator = "["
  for _, v in ipairs(items) do
    self:push(separator)
    self:line(indent + 1)
    self:value(v, indent + 1)
    separator = ","
  end
  self:line(indent)
  self:push("]")
end
function Printer:object(entries, indent)
  if #entries.keys == 0 then return self:push("{}") end
  local separator = "{"
  for _, k in ipairs(entries.keys) do
    self:push(separator)
    self:line(indent + 1)
    self:string(k)
    self:push(": ")
    self:value(entries.values[k], indent + 1)
    separator = ","
  end
  self:line(indent)
  self:push("}")
end

local function to_text(v)
  local printer = setmetatable({out = {}}, Printer)
  printer:value(v, 0)
  return table.concat(printer.out)
end

local function object(...)
  local o = new_object()
  local args = {...}
  for i = 1, #args, 2 do o:set(args[i], args[i + 1]) end
  return o
end
local function make_record(i)
  return object(
    "id", i,
    "name", 'name "' .. i % 17 .. '"\tof\n' .. i,
    "price", i + 0.25,
    "debt", -i,
    "tags", {"plain", "back\\slash", i % 2 == 0, null},
    "nested", object("empty", {}, "none", new_object(), "deeper", object("list", {1, 2, {3, 4}})))
end

local records = {}
for i = 1, 400 do records[i] = make_record(i) end
local text = to_text(records)
assert(new_parser('["a\\u0041\\u20ac"]'):value()[1] == "aA€")
local total = 0
for round = 1, 10 do
  local tree = new_parser(text):value()
  local values = tree[round].values
  values.id = values.id + 1
  text = to_text(tree)
  for _, r in ipairs(tree) do
    local v = r.values
    total = total + v.id + #v.name + #v.tags + floor(v.price * 4)
  end
end
print(string.format("json_tree %d %d", #text, total))
