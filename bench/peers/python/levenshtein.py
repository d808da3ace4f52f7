# Edit distances of all pairs of words, by two rows of the table; also the nearest word of each.
def distance(a, b):
    n = len(b)
    before = list(range(n + 1))
    row = list(range(n + 1))
    for i, c in enumerate(a):
        row[0] = i + 1
        for j in range(n):
            cost = before[j]
            if c != b[j]:
                if before[j + 1] < cost:
                    cost = before[j + 1]
                if row[j] < cost:
                    cost = row[j]
                cost += 1
            row[j + 1] = cost
        before, row = row, before
    return before[n]


def make_words(count):
    letters = "etaoinshrdlu"
    seed = 7
    words = []
    for i in range(count):
        word = ""
        for _ in range(8 + i % 13):
            seed = seed * 16807 % 2147483647
            word += letters[seed % len(letters)]
        words.append(word)
    return words


def main():
    words = make_words(170)
    total = 0
    nearest = 0
    for a in words:
        best = 100
        for b in words:
            if a == b:
                continue
            d = distance(a, b)
            total += d
            best = min(best, d)
        nearest += best
    print(f"levenshtein {total} {nearest}")


main()
