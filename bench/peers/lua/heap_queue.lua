-- A priority queue (binary heap with an order given as a function), used to sort, to keep the ten
-- largest, and for shortest ways over a grid.
local floor = math.floor

local Heap = {}
Heap.__index = Heap
local function new_heap(before) return setmetatable({items = {}, before = before}, Heap) end

function Heap:push(item)
  local items, before = self.items, self.before
  local at = #items + 1
  while at > 1 do
    local parent = floor(at / 2)
    if not before(item, items[parent]) then break end
    items[at] = items[parent]
    at = parent
  end
  items[at] = item
end

function Heap:pop()
  local items, before = self.items, self.before
  local top = items[1]
  local size = #items
  local last = items[size]
  items[size] = nil
  size = size - 1
  if size == 0 then return top end
  local at = 1
  while true do
    local child = at * 2
    if child > size then break end
    if child < size and before(items[child + 1], items[child]) then child = child + 1 end
    if not before(items[child], last) then break end
    items[at] = items[child]
    at = child
  end
  items[at] = last
  return top
end

local function numbers(seed)
  return function(limit)
    seed = seed * 16807 % 2147483647
    return seed % limit
  end
end

local function sort_all(n, next)
  local heap = new_heap(function(a, b) return a < b end)
  for _ = 1, n do heap:push(next(1000000)) end
  local sum = 0
  local last = -1
  while #heap.items > 0 do
    local x = heap:pop()
    assert(x >= last)
    last = x
    sum = (sum * 31 + x) % 1000003
  end
  return sum
end

local function largest(n, count, next)
  local heap = new_heap(function(a, b)
    return a.weight < b.weight or a.weight == b.weight and a.id < b.id
  end)
  for id = 0, n - 1 do
    heap:push({id = id, weight = next(100000)})
    if #heap.items > count then heap:pop() end
  end
  local sum = 0
  while #heap.items > 0 do sum = sum + heap:pop().id end
  return sum
end

local function shortest_way(size, next)
  local costs, distance = {}, {}
  for i = 1, size * size do
    costs[i] = 1 + next(9)
    distance[i] = 1000000000
  end
  local heap = new_heap(function(a, b) return a[1] < b[1] end)
  local function reach(node, total)
    if total < distance[node] then
      distance[node] = total
      heap:push({total, node})
    end
  end
  reach(1, 0)
  while #heap.items > 0 do
    local top = heap:pop()
    local total, node = top[1], top[2]
    if total <= distance[node] then
      local x = (node - 1) % size
      if x > 0 then reach(node - 1, total + costs[node - 1]) end
      if x < size - 1 then reach(node + 1, total + costs[node + 1]) end
      if node > size then reach(node - size, total + costs[node - size]) end
      if node <= size * (size - 1) then reach(node + size, total + costs[node + size]) end
    end
  end
  return distance[#distance]
end

local next = numbers(5)
local sorted = sort_all(130000, next)
local sum = largest(300000, 10, next)
print(string.format("heap_queue %d %d %d", sorted, sum, shortest_way(230, next)))
