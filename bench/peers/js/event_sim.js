// Discrete events: customers pass the stations of a workshop, each with some servers and a queue;
// what happens next is a closure in a queue ordered by time.
class Event {
  constructor(time, serial, action) {
    this.time = time;
    this.serial = serial;
    this.action = action;
  }
  before(o) { return this.time < o.time || this.time === o.time && this.serial < o.serial; }
}

class Simulation {
  now = 0;
  serial = 0;
  events = [];          // a binary heap
  seed = 12345;

  random() {
    this.seed = this.seed * 16807 % 2147483647;
    return this.seed / 2147483647;
  }
  schedule(delay, action) {
    this.serial++;
    const event = new Event(this.now + delay, this.serial, action);
    const events = this.events;
    let at = events.length;
    events.push(event);
    while (at > 0 && event.before(events[(at - 1) >> 1])) {
      events[at] = events[(at - 1) >> 1];
      at = (at - 1) >> 1;
    }
    events[at] = event;
  }
  next() {
    const events = this.events;
    const first = events[0];
    const last = events.pop();
    const size = events.length;
    let at = 0;
    while (at * 2 + 1 < size) {
      let child = at * 2 + 1;
      if (child + 1 < size && events[child + 1].before(events[child])) child++;
      if (!events[child].before(last)) break;
      events[at] = events[child];
      at = child;
    }
    if (size > 0) events[at] = last;
    return first;
  }
  run(until) {
    let count = 0;
    while (this.events.length > 0) {
      const event = this.next();
      if (event.time > until) break;
      this.now = event.time;
      event.action();
      count++;
    }
    return count;
  }
}

class Customer {
  visits = 0;
  next = null;          // in a station's queue
  constructor(number, arrived) { this.number = number; this.arrived = arrived; }
}

class Station {
  first = null;
  last = null;
  waiting = 0;
  longest = 0;
  constructor(sim, name, servers, pace, leave) {
    this.sim = sim;
    this.name = name;
    this.free = servers;
    this.pace = pace;
    this.leave = leave;
  }
  enter(customer) {
    customer.visits++;
    if (this.free > 0) {
      this.free--;
      this.serve(customer);
      return;
    }
    customer.next = null;
    if (this.first === null) this.first = customer;
    else this.last.next = customer;
    this.last = customer;
    this.waiting++;
    this.longest = Math.max(this.longest, this.waiting);
  }
  serve(customer) {
    const time = this.pace * (0.5 + this.sim.random());
    this.sim.schedule(time, () => {
      this.free++;
      if (this.first !== null) {
        const following = this.first;
        this.first = following.next;
        this.waiting--;
        this.free--;
        this.serve(following);
      }
      this.leave(customer);
    });
  }
}

class Workshop {
  sim = new Simulation();
  stations = {};
  arrivals = 0;
  finished = 0;
  timeInside = 0;

  add(name, servers, pace, ...ways) {
    this.stations[name] = new Station(this.sim, name, servers, pace, (customer) => {
      let draw = this.sim.random();
      for (const [share, to] of ways) {
        if (draw < share) {
          this.stations[to].enter(customer);
          return;
        }
        draw -= share;
      }
      this.finish(customer);
    });
  }
  finish(customer) {
    this.finished++;
    this.timeInside += this.sim.now - customer.arrived;
  }
  arrive() {
    this.arrivals++;
    this.stations.desk.enter(new Customer(this.arrivals, this.sim.now));
    this.sim.schedule(this.sim.random() * 2, () => this.arrive());
  }
}

const shop = new Workshop();
shop.add("desk", 2, 1.5, [0.6, "repair"], [0.3, "cleaning"]);
shop.add("repair", 4, 4.0, [0.5, "cleaning"], [0.4, "desk"]);
shop.add("cleaning", 3, 2.5, [0.2, "repair"]);
shop.arrive();
const events = shop.sim.run(85000);
const longest = Object.values(shop.stations).reduce((sum, s) => sum + s.longest, 0);
console.log(`event_sim ${events} ${shop.finished} ${Math.floor(shop.timeInside)} ${longest}`);
