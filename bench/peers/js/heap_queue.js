// A priority queue (binary heap with an order given as a function), used to sort, to keep the ten
// largest, and for shortest ways over a grid.
class Heap {
  items = [];
  constructor(before) { this.before = before; }
  get length() { return this.items.length; }

  push(item) {
    const {items, before} = this;
    let at = items.length;
    items.push(item);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(item, items[parent])) break;
      items[at] = items[parent];
      at = parent;
    }
    items[at] = item;
  }

  pop() {
    const {items, before} = this;
    const top = items[0];
    const last = items.pop();
    const size = items.length;
    if (size === 0) return top;
    let at = 0;
    for (;;) {
      let child = at * 2 + 1;
      if (child >= size) break;
      if (child + 1 < size && before(items[child + 1], items[child])) child++;
      if (!before(items[child], last)) break;
      items[at] = items[child];
      at = child;
    }
    items[at] = last;
    return top;
  }
}

function numbers(seed) {
  return (limit) => {
    seed = seed * 16807 % 2147483647;
    return seed % limit;
  };
}

function sortAll(n, next) {
  const heap = new Heap((a, b) => a < b);
  for (let i = 0; i < n; i++) heap.push(next(1000000));
  let sum = 0;
  let last = -1;
  while (heap.length > 0) {
    const x = heap.pop();
    if (x < last) throw new Error("order");
    last = x;
    sum = (sum * 31 + x) % 1000003;
  }
  return sum;
}

function largest(n, count, next) {
  const heap = new Heap((a, b) => a.weight < b.weight || a.weight === b.weight && a.id < b.id);
  for (let id = 0; id < n; id++) {
    heap.push({id, weight: next(100000)});
    if (heap.length > count) heap.pop();
  }
  let sum = 0;
  while (heap.length > 0) sum += heap.pop().id;
  return sum;
}

function shortestWay(size, next) {
  const costs = Array.from({length: size * size}, () => 1 + next(9));
  const distance = costs.map(() => 1000000000);
  const heap = new Heap((a, b) => a[0] < b[0]);
  const reach = (node, total) => {
    if (total < distance[node]) {
      distance[node] = total;
      heap.push([total, node]);
    }
  };
  reach(0, 0);
  while (heap.length > 0) {
    const [total, node] = heap.pop();
    if (total > distance[node]) continue;
    const x = node % size;
    if (x > 0) reach(node - 1, total + costs[node - 1]);
    if (x < size - 1) reach(node + 1, total + costs[node + 1]);
    if (node >= size) reach(node - size, total + costs[node - size]);
    if (node < size * (size - 1)) reach(node + size, total + costs[node + size]);
  }
  return distance.at(-1);
}

const next = numbers(5);
const sorted = sortAll(130000, next);
const sum = largest(300000, 10, next);
console.log(`heap_queue ${sorted} ${sum} ${shortestWay(230, next)}`);
