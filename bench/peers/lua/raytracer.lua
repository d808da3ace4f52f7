-- A scene of spheres over a plane, with shadows and reflections; vectors have operators.
local sqrt, floor = math.sqrt, math.floor

local Vec = {}
Vec.__index = Vec
local function vec(x, y, z) return setmetatable({x = x, y = y, z = z}, Vec) end
function Vec.__add(a, b) return vec(a.x + b.x, a.y + b.y, a.z + b.z) end
function Vec.__sub(a, b) return vec(a.x - b.x, a.y - b.y, a.z - b.z) end
function Vec.__mul(a, k) return vec(a.x * k, a.y * k, a.z * k) end
function Vec:dot(o) return self.x * o.x + self.y * o.y + self.z * o.z end
function Vec:unit() return self * (1 / sqrt(self:dot(self))) end
function Vec:reflect(normal) return self - normal * (2 * self:dot(normal)) end

local Sphere = {}
Sphere.__index = Sphere
local function sphere(center, radius, color, mirror)
  return setmetatable({center = center, radius = radius, color = color, mirror = mirror}, Sphere)
end
function Sphere:hit(origin, direction)
  local to = self.center - origin
  local along = to:dot(direction)
  local inside = self.radius * self.radius - to:dot(to) + along * along
  if inside < 0 then return nil end
  local distance = along - sqrt(inside)
  return distance > 0.0001 and distance or nil
end
function Sphere:normal(point) return (point - self.center) * (1 / self.radius) end
function Sphere:color_at(point) return self.color end

local Floor = {}
Floor.__index = Floor
local function new_floor()
  return setmetatable({mirror = 0.2, light = vec(0.9, 0.9, 0.9), dark = vec(0.2, 0.2, 0.3),
    up = vec(0.0, 1.0, 0.0)}, Floor)
end
function Floor:hit(origin, direction)
  if direction.y > -0.0001 then return nil end
  return -(origin.y + 1.0) / direction.y
end
function Floor:normal(point) return self.up end
function Floor:color_at(point)
  local even = (floor(point.x) + floor(point.z)) % 2 == 0
  return even and self.light or self.dark
end

local Scene = {}
Scene.__index = Scene
local function new_scene()
  return setmetatable({things = {}, sun = vec(-0.5, 0.8, -0.6):unit(), sky = vec(0.4, 0.6, 0.9)},
    Scene)
end
function Scene:nearest(origin, direction)
  local found = nil
  local distance = math.huge
  for _, thing in ipairs(self.things) do
    local d = thing:hit(origin, direction)
    if d and d < distance then
      found = thing
      distance = d
    end
  end
  return found, distance
end
function Scene:trace(origin, direction, depth)
  local thing, distance = self:nearest(origin, direction)
  if thing == nil then return self.sky end
  local point = origin + direction * distance
  local normal = thing:normal(point)
  local shade = normal:dot(self.sun)
  if shade < 0 then shade = 0.0 end
  if shade > 0 and self:nearest(point + normal * 0.001, self.sun) then shade = 0.0 end
  local color = thing:color_at(point) * (0.2 + 0.8 * shade)
  if depth == 0 or thing.mirror == 0 then return color end
  local seen = self:trace(point + normal * 0.001, direction:reflect(normal), depth - 1)
  return color * (1 - thing.mirror) + seen * thing.mirror
end

local function render(scene, size)
  local eye = vec(0.0, 0.5, -4.0)
  local total = 0
  for row = 0, size - 1 do
    for column = 0, size - 1 do
      local direction = vec(column / size - 0.5, 0.5 - row / size, 1.0):unit()
      local color = scene:trace(eye, direction, 3)
      total = total + floor(color.x * 255) + floor(color.y * 255) * 3 + floor(color.z * 255) * 7
    end
  end
  return total
end

local scene = new_scene()
local things = scene.things
things[#things + 1] = new_floor()
things[#things + 1] = sphere(vec(0.0, 0.0, 0.0), 1.0, vec(0.9, 0.2, 0.2), 0.3)
things[#things + 1] = sphere(vec(1.5, -0.4, -0.8), 0.6, vec(0.2, 0.9, 0.3), 0.5)
things[#things + 1] = sphere(vec(-1.6, -0.3, 0.5), 0.7, vec(0.2, 0.3, 0.9), 0.0)
things[#things + 1] = sphere(vec(-0.4, -0.7, -1.4), 0.3, vec(0.9, 0.9, 0.2), 0.1)
print("raytracer " .. string.format("%d", render(scene, 240)))
