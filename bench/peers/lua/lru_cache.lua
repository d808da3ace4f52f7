-- A cache that drops the least recently used entry: a table into a linked list with a sentinel.
local LruCache = {}
LruCache.__index = LruCache
local function new_cache(capacity)
  local ends = {}             -- its older is the newest entry, its newer the oldest
  ends.newer = ends
  ends.older = ends
  return setmetatable({capacity = capacity, size = 0, entries = {}, ends = ends, hits = 0,
    misses = 0}, LruCache)
end
function LruCache:unlink(entry)
  entry.newer.older = entry.older
  entry.older.newer = entry.newer
end
function LruCache:push_front(entry)
  local ends = self.ends
  entry.newer = ends
  entry.older = ends.older
  ends.older.newer = entry
  ends.older = entry
end
function LruCache:get(key)
  local entry = self.entries[key]
  if entry == nil then
    self.misses = self.misses + 1
    return nil
  end
  self.hits = self.hits + 1
  self:unlink(entry)
  self:push_front(entry)
  return entry.value
end
function LruCache:put(key, value)
  local entry = self.entries[key]
  if entry then
    entry.value = value
    self:unlink(entry)
  else
    if self.size == self.capacity then
      local oldest = self.ends.newer
      self:unlink(oldest)
      self.entries[oldest.key] = nil
      self.size = self.size - 1
    end
    entry = {key = key, value = value, newer = nil, older = nil}
    self.entries[key] = entry
    self.size = self.size + 1
  end
  self:push_front(entry)
end

local function numbers(seed)
  return function(limit)
    seed = seed * 16807 % 2147483647
    return seed % limit
  end
end

local function run(operations)
  local next = numbers(2024)
  local pages = new_cache(1000)
  local users = new_cache(300)
  local total = 0
  for _ = 1, operations do
    local page = next(60) * next(60)        -- small products are frequent
    local text = pages:get(page)
    if text == nil then
      text = "page " .. page
      pages:put(page, text)
    end
    local name = "user" .. next(25) * next(25)
    local visits = users:get(name) or 0
    users:put(name, visits + 1)
    total = total + #text + visits
  end
  return total, pages.hits, users.misses
end
local total, hits, misses = run(350000)
print("lru_cache " .. total .. " " .. hits .. " " .. misses)
