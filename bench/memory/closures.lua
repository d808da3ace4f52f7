-- Bytes of heap that a live closure takes, with the variable that it captures.
local COUNT = 200000

local function over_assigned(i)
  local n = i
  return function() n = n + 1; return n end
end
local function over_constant(i) return function() return i end end

local function held()
  collectgarbage()
  collectgarbage()
  return collectgarbage("count") * 1024
end

local function bytes_each(make)
  local kept = {}
  for i = 1, COUNT do kept[i] = false end
  local before = held()
  for i = 1, COUNT do kept[i] = make(i) end
  return (held() - before) / COUNT
end

print(string.format("assigned %.1f", bytes_each(over_assigned)))
print(string.format("constant %.1f", bytes_each(over_constant)))
