# A cache that drops the least recently used entry: a dict into a linked list with a sentinel.
class Entry:
    __slots__ = ("key", "value", "newer", "older")

    def __init__(self, key, value):
        self.key = key
        self.value = value
        self.newer = None
        self.older = None


class LruCache:
    def __init__(self, capacity):
        self.capacity = capacity
        self.entries = {}
        self.ends = Entry(None, None)   # its older is the newest entry, its newer the oldest
        self.ends.newer = self.ends
        self.ends.older = self.ends
        self.hits = 0
        self.misses = 0

    def unlink(self, entry):
        entry.newer.older = entry.older
        entry.older.newer = entry.newer

    def push_front(self, entry):
        ends = self.ends
        entry.newer = ends
        entry.older = ends.older
        ends.older.newer = entry
        ends.older = entry

    def get(self, key):
        entry = self.entries.get(key)
        if entry is None:
            self.misses += 1
            return None
        self.hits += 1
        self.unlink(entry)
        self.push_front(entry)
        return entry.value

    def put(self, key, value):
        entry = self.entries.get(key)
        if entry is not None:
            entry.value = value
            self.unlink(entry)
        else:
            if len(self.entries) == self.capacity:
                oldest = self.ends.newer
                self.unlink(oldest)
                del self.entries[oldest.key]
            entry = Entry(key, value)
            self.entries[key] = entry
        self.push_front(entry)


def numbers(seed):
    def following(limit):
        nonlocal seed
        seed = seed * 16807 % 2147483647
        return seed % limit
    return following


def run(operations):
    following = numbers(2024)
    pages = LruCache(1000)
    users = LruCache(300)
    total = 0
    for _ in range(operations):
        page = following(60) * following(60)    # small products are frequent
        text = pages.get(page)
        if text is None:
            text = f"page {page}"
            pages.put(page, text)
        name = f"user{following(25) * following(25)}"
        visits = users.get(name) or 0
        users.put(name, visits + 1)
        total += len(text) + visits
    return total, pages.hits, users.misses


print("lru_cache %d %d %d" % run(350000))
