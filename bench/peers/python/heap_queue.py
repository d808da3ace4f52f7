# A priority queue (binary heap with an order given as a function), used to sort, to keep the ten
# largest, and for shortest ways over a grid.
class Heap:
    def __init__(self, before):
        self.items = []
        self.before = before

    def __len__(self):
        return len(self.items)

    def push(self, item):
        items, before = self.items, self.before
        at = len(items)
        items.append(item)
        while at > 0:
            parent = (at - 1) // 2
            if not before(item, items[parent]):
                break
            items[at] = items[parent]
            at = parent
        items[at] = item

    def pop(self):
        items, before = self.items, self.before
        top = items[0]
        last = items.pop()
        size = len(items)
        if size == 0:
            return top
        at = 0
        while True:
            child = at * 2 + 1
            if child >= size:
                break
            if child + 1 < size and before(items[child + 1], items[child]):
                child += 1
            if not before(items[child], last):
                break
            items[at] = items[child]
            at = child
        items[at] = last
        return top


def numbers(seed):
    def following(limit):
        nonlocal seed
        seed = seed * 16807 % 2147483647
        return seed % limit
    return following


def sort_all(n, following):
    heap = Heap(lambda a, b: a < b)
    for _ in range(n):
        heap.push(following(1000000))
    total = 0
    last = -1
    while len(heap) > 0:
        x = heap.pop()
        assert x >= last
        last = x
        total = (total * 31 + x) % 1000003
    return total


def largest(n, count, following):
    heap = Heap(lambda a, b: a["weight"] < b["weight"]
                or a["weight"] == b["weight"] and a["id"] < b["id"])
    for i in range(n):
        heap.push({"id": i, "weight": following(100000)})
        if len(heap) > count:
            heap.pop()
    total = 0
    while len(heap) > 0:
        total += heap.pop()["id"]
    return total


def shortest_way(size, following):
    costs = [1 + following(9) for _ in range(size * size)]
    distance = [1000000000] * len(costs)
    heap = Heap(lambda a, b: a[0] < b[0])

    def reach(node, total):
        if total < distance[node]:
            distance[node] = total
            heap.push((total, node))
    reach(0, 0)
    while len(heap) > 0:
        total, node = heap.pop()
        if total > distance[node]:
            continue
        x = node % size
        if x > 0:
            reach(node - 1, total + costs[node - 1])
        if x < size - 1:
            reach(node + 1, total + costs[node + 1])
        if node >= size:
            reach(node - size, total + costs[node - size])
        if node < size * (size - 1):
            reach(node + size, total + costs[node + size])
    return distance[-1]


following = numbers(5)
in_order = sort_all(130000, following)
weights = largest(300000, 10, following)
print("heap_queue", in_order, weights, shortest_way(230, following))
