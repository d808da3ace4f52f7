-- LU decomposition with row exchanges, determinant and solutions of linear systems.
local abs, floor, log = math.abs, math.floor, math.log

local Lu = {}
Lu.__index = Lu
function Lu:pivot(k)
  local best = k
  for i = k + 1, #self.rows do
    if abs(self.rows[i][k]) > abs(self.rows[best][k]) then best = i end
  end
  return best
end
function Lu:exchange(i, j)
  if i == j then return end
  local rows, order = self.rows, self.order
  rows[i], rows[j] = rows[j], rows[i]
  order[i], order[j] = order[j], order[i]
  self.sign = -self.sign
end
function Lu:eliminate(k)
  local rows = self.rows
  local n = #rows
  local top = rows[k]
  for i = k + 1, n do
    local row = rows[i]
    local factor = row[k] / top[k]
    row[k] = factor
    for j = k + 1, n do row[j] = row[j] - factor * top[j] end
  end
end
function Lu:log_determinant()
  local sum = 0.0
  for i, row in ipairs(self.rows) do sum = sum + log(abs(row[i])) end
  return sum
end
function Lu:solve(b)
  local n = #self.rows
  local x = {}
  for i, from in ipairs(self.order) do x[i] = b[from] end
  for i = 1, n do
    local row = self.rows[i]
    local sum = x[i]
    for j = 1, i - 1 do sum = sum - row[j] * x[j] end
    x[i] = sum
  end
  for i = n, 1, -1 do
    local row = self.rows[i]
    local sum = x[i]
    for j = i + 1, n do sum = sum - row[j] * x[j] end
    x[i] = sum / row[i]
  end
  return x
end
local function new_lu(matrix)
  local self = setmetatable({rows = {}, order = {}, sign = 1}, Lu)
  for i, row in ipairs(matrix) do
    local copy = {}
    for j, v in ipairs(row) do copy[j] = v end
    self.rows[i] = copy
    self.order[i] = i
  end
  for k = 1, #matrix do
    self:exchange(k, self:pivot(k))
    self:eliminate(k)
  end
  return self
end

local function residue(matrix, x, b)
  local worst = 0.0
  for i, row in ipairs(matrix) do
    local sum = -b[i]
    for j = 1, #x do sum = sum + row[j] * x[j] end
    worst = math.max(worst, abs(sum))
  end
  return worst
end

local function run(n)
  local seed = 31
  local function next()
    seed = seed * 16807 % 2147483647
    return seed / 2147483647 - 0.5
  end
  local matrix = {}
  for i = 1, n do
    local row = {}
    for j = 1, n do row[j] = next() end
    matrix[i] = row
  end
  local lu = new_lu(matrix)
  local total = 0
  for round = 0, 9 do
    local b = {}
    for i = 1, n do b[i] = next() + round end
    local x = lu:solve(b)
    assert(residue(matrix, x, b) < 1e-8)
    for _, v in ipairs(x) do total = total + floor(v * 1000) end
  end
  return total, lu.sign, floor(lu:log_determinant() * 1000)
end
print(string.format("matrix_lu %d %d %d", run(385)))
