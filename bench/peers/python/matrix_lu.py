# LU decomposition with row exchanges, determinant and solutions of linear systems.
from math import floor, log


class Lu:
    def __init__(self, matrix):
        self.rows = [row[:] for row in matrix]
        self.order = list(range(len(matrix)))
        self.sign = 1
        for k in range(len(matrix)):
            self.exchange(k, self.pivot(k))
            self.eliminate(k)

    def pivot(self, k):
        best = k
        for i in range(k + 1, len(self.rows)):
            if abs(self.rows[i][k]) > abs(self.rows[best][k]):
                best = i
        return best

    def exchange(self, i, j):
        if i == j:
            return
        rows, order = self.rows, self.order
        rows[i], rows[j] = rows[j], rows[i]
        order[i], order[j] = order[j], order[i]
        self.sign = -self.sign

    def eliminate(self, k):
        rows = self.rows
        n = len(rows)
        top = rows[k]
        for i in range(k + 1, n):
            row = rows[i]
            factor = row[k] / top[k]
            row[k] = factor
            for j in range(k + 1, n):
                row[j] -= factor * top[j]

    def log_determinant(self):
        total = 0.0
        for i, row in enumerate(self.rows):
            total += log(abs(row[i]))
        return total

    def solve(self, b):
        n = len(self.rows)
        x = [b[i] for i in self.order]
        for i in range(n):
            row = self.rows[i]
            total = x[i]
            for j in range(i):
                total -= row[j] * x[j]
            x[i] = total
        for i in range(n - 1, -1, -1):
            row = self.rows[i]
            total = x[i]
            for j in range(i + 1, n):
                total -= row[j] * x[j]
            x[i] = total / row[i]
        return x


def residue(matrix, x, b):
    worst = 0.0
    for i, row in enumerate(matrix):
        total = -b[i]
        for j in range(len(x)):
            total += row[j] * x[j]
        worst = max(worst, abs(total))
    return worst


def run(n):
    seed = 31

    def following():
        nonlocal seed
        seed = seed * 16807 % 2147483647
        return seed / 2147483647 - 0.5
    matrix = [[following() for _ in range(n)] for _ in range(n)]
    lu = Lu(matrix)
    total = 0
    for turn in range(10):
        b = [following() + turn for _ in range(n)]
        x = lu.solve(b)
        assert residue(matrix, x, b) < 1e-8
        for v in x:
            total += floor(v * 1000)
    return total, lu.sign, floor(lu.log_determinant() * 1000)


print("matrix_lu %d %d %d" % run(385))
