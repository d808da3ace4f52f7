# Discrete events: customers pass the stations of a workshop, each with some servers and a queue;
# what happens next is a closure in a queue ordered by time.
class Event:
    __slots__ = ("time", "serial", "action")

    def __init__(self, time, serial, action):
        self.time = time
        self.serial = serial
        self.action = action

    def __lt__(self, o):
        return self.time < o.time or self.time == o.time and self.serial < o.serial


class Simulation:
    def __init__(self):
        self.now = 0.0
        self.serial = 0
        self.events = []        # a binary heap
        self.seed = 12345

    def random(self):
        self.seed = self.seed * 16807 % 2147483647
        return self.seed / 2147483647

    def schedule(self, delay, action):
        self.serial += 1
        event = Event(self.now + delay, self.serial, action)
        events = self.events
        at = len(events)
        events.append(event)
        while at > 0 and event < events[(at - 1) // 2]:
            events[at] = events[(at - 1) // 2]
            at = (at - 1) // 2
        events[at] = event

    def next(self):
        events = self.events
        first = events[0]
        last = events.pop()
        size = len(events)
        at = 0
        while at * 2 + 1 < size:
            child = at * 2 + 1
            if child + 1 < size and events[child + 1] < events[child]:
                child += 1
            if not events[child] < last:
                break
            events[at] = events[child]
            at = child
        if size > 0:
            events[at] = last
        return first

    def run(self, until):
        count = 0
        while self.events:
            event = self.next()
            if event.time > until:
                break
            self.now = event.time
            event.action()
            count += 1
        return count


class Customer:
    __slots__ = ("number", "arrived", "visits", "next")

    def __init__(self, number, arrived):
        self.number = number
        self.arrived = arrived
        self.visits = 0
        self.next = None        # in a station's queue


class Station:
    def __init__(self, sim, name, servers, pace, leave):
        self.sim = sim
        self.name = name
        self.free = servers
        self.pace = pace
        self.leave = leave
        self.first = None
        self.last = None
        self.waiting = 0
        self.longest = 0

    def enter(self, customer):
        customer.visits += 1
        if self.free > 0:
            self.free -= 1
            self.serve(customer)
            return
        customer.next = None
        if self.first is None:
            self.first = customer
        else:
            self.last.next = customer
        self.last = customer
        self.waiting += 1
        self.longest = max(self.longest, self.waiting)

    def serve(self, customer):
        time = self.pace * (0.5 + self.sim.random())

        def done():
            self.free += 1
            if self.first is not None:
                following = self.first
                self.first = following.next
                self.waiting -= 1
                self.free -= 1
                self.serve(following)
            self.leave(customer)
        self.sim.schedule(time, done)


class Workshop:
    def __init__(self):
        self.sim = Simulation()
        self.stations = {}
        self.arrivals = 0
        self.finished = 0
        self.time_inside = 0.0

    def add(self, name, servers, pace, *ways):
        def leave(customer):
            draw = self.sim.random()
            for share, to in ways:
                if draw < share:
                    self.stations[to].enter(customer)
                    return
                draw -= share
            self.finish(customer)
        self.stations[name] = Station(self.sim, name, servers, pace, leave)

    def finish(self, customer):
        self.finished += 1
        self.time_inside += self.sim.now - customer.arrived

    def arrive(self):
        self.arrivals += 1
        self.stations["desk"].enter(Customer(self.arrivals, self.sim.now))
        self.sim.schedule(self.sim.random() * 2, self.arrive)


shop = Workshop()
shop.add("desk", 2, 1.5, (0.6, "repair"), (0.3, "cleaning"))
shop.add("repair", 4, 4.0, (0.5, "cleaning"), (0.4, "desk"))
shop.add("cleaning", 3, 2.5, (0.2, "repair"))
shop.arrive()
events = shop.sim.run(85000)
longest = sum(s.longest for s in shop.stations.values())
print(f"event_sim {events} {shop.finished} {int(shop.time_inside)} {longest}")
