-- Discrete events: customers pass the stations of a workshop, each with some servers and a queue;
-- what happens next is a closure in a queue ordered by time.
local floor = math.floor

local Event = {}
Event.__index = Event
function Event.__lt(a, b)
  return a.time < b.time or a.time == b.time and a.serial < b.serial
end

local Simulation = {}
Simulation.__index = Simulation
local function new_simulation()
  return setmetatable({now = 0.0, serial = 0, events = {}, seed = 12345}, Simulation)
end
function Simulation:random()
  self.seed = self.seed * 16807 % 2147483647
  return self.seed / 2147483647
end
function Simulation:schedule(delay, action)
  self.serial = self.serial + 1
  local event = {time = self.now + delay, serial = self.serial, action = action}
  setmetatable(event, Event)
  local events = self.events
  local at = #events + 1
  while at > 1 and event < events[floor(at / 2)] do
    events[at] = events[floor(at / 2)]
    at = floor(at / 2)
  end
  events[at] = event
end
function Simulation:next()
  local events = self.events
  local first = events[1]
  local size = #events
  local last = events[size]
  events[size] = nil
  size = size - 1
  local at = 1
  while at * 2 <= size do
    local child = at * 2
    if child < size and events[child + 1] < events[child] then child = child + 1 end
    if not (events[child] < last) then break end
    events[at] = events[child]
    at = child
  end
  if size > 0 then events[at] = last end
  return first
end
function Simulation:run(limit)
  local count = 0
  while #self.events > 0 do
    local event = self:next()
    if event.time > limit then break end
    self.now = event.time
    event.action()
    count = count + 1
  end
  return count
end

local function new_customer(number, arrived)
  return {number = number, arrived = arrived, visits = 0, next = nil}
end

local Station = {}
Station.__index = Station
local function new_station(sim, name, servers, pace, leave)
  return setmetatable({sim = sim, name = name, free = servers, pace = pace, leave = leave,
    first = nil, last = nil, waiting = 0, longest = 0}, Station)
end
function Station:enter(customer)
  customer.visits = customer.visits + 1
  if self.free > 0 then
    self.free = self.free - 1
    return self:serve(customer)
  end
  customer.next = nil
  if self.first == nil then self.first = customer else self.last.next = customer end
  self.last = customer
  self.waiting = self.waiting + 1
  self.longest = math.max(self.longest, self.waiting)
end
function Station:serve(customer)
  local time = self.pace * (0.5 + self.sim:random())
  self.sim:schedule(time, function()
    self.free = self.free + 1
    if self.first then
      local following = self.first
      self.first = following.next
      self.waiting = self.waiting - 1
      self.free = self.free - 1
      self:serve(following)
    end
    self.leave(customer)
  end)
end

local Workshop = {}
Workshop.__index = Workshop
local function new_workshop()
  return setmetatable({sim = new_simulation(), stations = {}, arrivals = 0, finished = 0,
    time_inside = 0.0}, Workshop)
end
function Workshop:add(name, servers, pace, ...)
  local ways = {...}
  self.stations[name] = new_station(self.sim, name, servers, pace, function(customer)
    local draw = self.sim:random()
    for _, way in ipairs(ways) do
      if draw < way[1] then return self.stations[way[2]]:enter(customer) end
      draw = draw - way[1]
    end
    self:finish(customer)
  end)
end
function Workshop:finish(customer)
  self.finished = self.finished + 1
  self.time_inside = self.time_inside + (self.sim.now - customer.arrived)
end
function Workshop:arrive()
  self.arrivals = self.arrivals + 1
  self.stations.desk:enter(new_customer(self.arrivals, self.sim.now))
  self.sim:schedule(self.sim:random() * 2, function() self:arrive() end)
end

local shop = new_workshop()
shop:add("desk", 2, 1.5, {0.6, "repair"}, {0.3, "cleaning"})
shop:add("repair", 4, 4.0, {0.5, "cleaning"}, {0.4, "desk"})
shop:add("cleaning", 3, 2.5, {0.2, "repair"})
shop:arrive()
local events = shop.sim:run(85000)
local longest = 0
for _, s in pairs(shop.stations) do longest = longest + s.longest end
local inside = floor(shop.time_inside)
print(string.format("event_sim %d %d %d %d", events, shop.finished, inside, longest))
