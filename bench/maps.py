"""The loops of maps.oxb in Python."""
import time


def window(n):
    m = {i: i for i in range(n)}
    start = time.monotonic()
    for i in range(n, 4 * n):
        if m.get(i) is None:
            m[i] = i
        m.pop(i - n)
    return (time.monotonic() - start) / (3 * n) * 1e6


def drain(n):
    m = {i: i for i in range(n)}
    start = time.monotonic()
    while m:
        del m[next(iter(m))]
    return time.monotonic() - start


print("map_window_turn_us: %.3f" % window(244000))
print("map_drain_s: %.3f" % drain(100000))
