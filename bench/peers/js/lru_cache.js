// A cache that drops the least recently used entry: a map into a linked list with a sentinel.
class Entry {
  constructor(key, value) {
    this.key = key;
    this.value = value;
    this.newer = null;
    this.older = null;
  }
}

class LruCache {
  entries = new Map();
  ends = new Entry(null, null);   // its older is the newest entry, its newer the oldest
  hits = 0;
  misses = 0;
  constructor(capacity) {
    this.capacity = capacity;
    this.ends.newer = this.ends;
    this.ends.older = this.ends;
  }
  unlink(entry) {
    entry.newer.older = entry.older;
    entry.older.newer = entry.newer;
  }
  pushFront(entry) {
    const ends = this.ends;
    entry.newer = ends;
    entry.older = ends.older;
    ends.older.newer = entry;
    ends.older = entry;
  }
  get(key) {
    const entry = this.entries.get(key);
    if (entry === undefined) {
      this.misses++;
      return undefined;
    }
    this.hits++;
    this.unlink(entry);
    this.pushFront(entry);
    return entry.value;
  }
  put(key, value) {
    let entry = this.entries.get(key);
    if (entry !== undefined) {
      entry.value = value;
      this.unlink(entry);
    } else {
      if (this.entries.size === this.capacity) {
        const oldest = this.ends.newer;
        this.unlink(oldest);
        this.entries.delete(oldest.key);
      }
      entry = new Entry(key, value);
      this.entries.set(key, entry);
    }
    this.pushFront(entry);
  }
}

function numbers(seed) {
  return (limit) => {
    seed = seed * 16807 % 2147483647;
    return seed % limit;
  };
}

function run(operations) {
  const next = numbers(2024);
  const pages = new LruCache(1000);
  const users = new LruCache(300);
  let total = 0;
  for (let i = 0; i < operations; i++) {
    const page = next(60) * next(60);     // small products are frequent
    let text = pages.get(page);
    if (text === undefined) {
      text = `page ${page}`;
      pages.put(page, text);
    }
    const name = `user${next(25) * next(25)}`;
    const visits = users.get(name) ?? 0;
    users.put(name, visits + 1);
    total += text.length + visits;
  }
  return [total, pages.hits, users.misses];
}
console.log("lru_cache " + run(350000).join(" "));
