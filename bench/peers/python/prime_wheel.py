# Primes by a wheel: only numbers without a factor 2, 3, 5 or 7 are tried. The candidates come from
# a closure; a second part factors numbers along the same wheel.
from math import prod

BASE = [2, 3, 5, 7]


def make_wheel():
    spokes = [n for n in range(1, prod(BASE) + 2) if all(n % p != 0 for p in BASE)]
    return [b - a for a, b in zip(spokes, spokes[1:])]


GAPS = make_wheel()


def candidates():
    n = 1
    at = -1

    def following():
        nonlocal n, at
        at += 1
        if at == len(GAPS):
            at = 0
        n += GAPS[at]
        return n
    return following


def is_prime(n, primes):
    for p in primes:
        if p * p > n:
            return True
        if n % p == 0:
            return False
    return True


def primes_below(limit):
    following = candidates()
    found = []
    while True:
        n = following()
        if n >= limit:
            return BASE + found
        if is_prime(n, found):
            found.append(n)


def factors(n):
    out = []
    for p in BASE:
        while n % p == 0:
            out.append(p)
            n = n // p
    p = 1 + GAPS[0]
    at = 0
    while p * p <= n:
        if n % p == 0:
            out.append(p)
            n = n // p
        else:
            at += 1
            if at == len(GAPS):
                at = 0
            p += GAPS[at]
    if n > 1:
        out.append(n)
    return out


def main():
    primes = primes_below(700000)
    total = 0
    for p in primes:
        total += p
    seed = 99
    for _ in range(7000):
        seed = seed * 16807 % 2147483647
        parts = factors(seed)
        assert prod(parts) == seed
        total += parts[-1] % 1000 + len(parts)
    print(f"prime_wheel {len(primes)} {total}")


main()
