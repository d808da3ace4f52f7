-- Primes by a wheel: only numbers without a factor 2, 3, 5 or 7 are tried. The candidates come from
-- a closure; a second part factors numbers along the same wheel.
local base = {2, 3, 5, 7}
local floor = math.floor

local function no_factor(n)
  for _, p in ipairs(base) do
    if n % p == 0 then return false end
  end
  return true
end
local function make_wheel()
  local circumference = 1
  for _, p in ipairs(base) do circumference = circumference * p end
  local spokes = {}
  for n = 1, circumference + 1 do
    if no_factor(n) then spokes[#spokes + 1] = n end
  end
  local gaps = {}
  for i = 2, #spokes do gaps[i - 1] = spokes[i] - spokes[i - 1] end
  return gaps
end
local gaps = make_wheel()

local function candidates()
  local n = 1
  local at = 0
  return function()
    at = at + 1
    if at > #gaps then at = 1 end
    n = n + gaps[at]
    return n
  end
end

local function is_prime(n, primes)
  for i = 1, #primes do
    local p = primes[i]
    if p * p > n then return true end
    if n % p == 0 then return false end
  end
  return true
end

local function primes_below(limit)
  local next = candidates()
  local found = {}
  while true do
    local n = next()
    if n >= limit then
      local all = {}
      for _, p in ipairs(base) do all[#all + 1] = p end
      for _, p in ipairs(found) do all[#all + 1] = p end
      return all
    end
    if is_prime(n, found) then found[#found + 1] = n end
  end
end

local function factors(n)
  local out = {}
  for _, p in ipairs(base) do
    while n % p == 0 do
      out[#out + 1] = p
      n = floor(n / p)
    end
  end
  local p = 1 + gaps[1]
  local at = 1
  while p * p <= n do
    if n % p == 0 then
      out[#out + 1] = p
      n = floor(n / p)
    else
      at = at + 1
      if at > #gaps then at = 1 end
      p = p + gaps[at]
    end
  end
  if n > 1 then out[#out + 1] = n end
  return out
end

local primes = primes_below(700000)
local total = 0
for _, p in ipairs(primes) do total = total + p end
local seed = 99
for _ = 1, 7000 do
  seed = seed * 16807 % 2147483647
  local parts = factors(seed)
  local product = 1
  for _, p in ipairs(parts) do product = product * p end
  assert(product == seed)
  total = total + parts[#parts] % 1000 + #parts
end
print(string.format("prime_wheel %d %d", #primes, total))
