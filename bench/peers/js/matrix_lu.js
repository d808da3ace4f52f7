// LU decomposition with row exchanges, determinant and solutions of linear systems.
class Lu {
  constructor(matrix) {
    this.rows = matrix.map((row) => row.slice());
    this.order = matrix.map((_, i) => i);
    this.sign = 1;
    for (let k = 0; k < matrix.length; k++) {
      this.exchange(k, this.pivot(k));
      this.eliminate(k);
    }
  }
  pivot(k) {
    let best = k;
    for (let i = k + 1; i < this.rows.length; i++) {
      if (Math.abs(this.rows[i][k]) > Math.abs(this.rows[best][k])) best = i;
    }
    return best;
  }
  exchange(i, j) {
    if (i === j) return;
    const {rows, order} = this;
    [rows[i], rows[j]] = [rows[j], rows[i]];
    [order[i], order[j]] = [order[j], order[i]];
    this.sign = -this.sign;
  }
  eliminate(k) {
    const rows = this.rows;
    const n = rows.length;
    const top = rows[k];
    for (let i = k + 1; i < n; i++) {
      const row = rows[i];
      const factor = row[k] / top[k];
      row[k] = factor;
      for (let j = k + 1; j < n; j++) row[j] -= factor * top[j];
    }
  }
  logDeterminant() {
    let sum = 0;
    this.rows.forEach((row, i) => { sum += Math.log(Math.abs(row[i])); });
    return sum;
  }
  solve(b) {
    const n = this.rows.length;
    const x = this.order.map((i) => b[i]);
    for (let i = 0; i < n; i++) {
      const row = this.rows[i];
      let sum = x[i];
      for (let j = 0; j < i; j++) sum -= row[j] * x[j];
      x[i] = sum;
    }
    for (let i = n - 1; i >= 0; i--) {
      const row = this.rows[i];
      let sum = x[i];
      for (let j = i + 1; j < n; j++) sum -= row[j] * x[j];
      x[i] = sum / row[i];
    }
    return x;
  }
}

function residue(matrix, x, b) {
  let worst = 0;
  matrix.forEach((row, i) => {
    let sum = -b[i];
    for (let j = 0; j < x.length; j++) sum += row[j] * x[j];
    worst = Math.max(worst, Math.abs(sum));
  });
  return worst;
}

function run(n) {
  let seed = 31;
  const next = () => {
    seed = seed * 16807 % 2147483647;
    return seed / 2147483647 - 0.5;
  };
  const matrix = Array.from({length: n}, () => Array.from({length: n}, next));
  const lu = new Lu(matrix);
  let total = 0;
  for (let round = 0; round < 10; round++) {
    const b = Array.from({length: n}, () => next() + round);
    const x = lu.solve(b);
    if (!(residue(matrix, x, b) < 1e-8)) throw new Error("residue");
    for (const v of x) total += Math.floor(v * 1000);
  }
  return [total, lu.sign, Math.floor(lu.logDeterminant() * 1000)];
}
console.log("matrix_lu " + run(385).join(" "));
