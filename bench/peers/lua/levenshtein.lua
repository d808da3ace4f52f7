-- Edit distances of all pairs of words, by two rows of the table; also the nearest word of each.
local byte = string.byte

local function distance(a, b)
  local n = #b
  local before, row = {}, {}
  for j = 0, n do
    before[j] = j
    row[j] = j
  end
  for i = 1, #a do
    local c = byte(a, i)
    row[0] = i
    for j = 1, n do
      local cost = before[j - 1]
      if c ~= byte(b, j) then
        if before[j] < cost then cost = before[j] end
        if row[j - 1] < cost then cost = row[j - 1] end
        cost = cost + 1
      end
      row[j] = cost
    end
    before, row = row, before
  end
  return before[n]
end

local function make_words(count)
  local letters = "etaoinshrdlu"
  local seed = 7
  local words = {}
  for i = 0, count - 1 do
    local word = ""
    for _ = 1, 8 + i % 13 do
      seed = seed * 16807 % 2147483647
      local at = seed % #letters + 1
      word = word .. letters:sub(at, at)
    end
    words[#words + 1] = word
  end
  return words
end

local words = make_words(170)
local total = 0
local nearest = 0
for _, a in ipairs(words) do
  local best = 100
  for _, b in ipairs(words) do
    if a ~= b then
      local d = distance(a, b)
      total = total + d
      best = math.min(best, d)
    end
  end
  nearest = nearest + best
end
print("levenshtein " .. total .. " " .. nearest)
