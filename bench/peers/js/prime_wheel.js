// Primes by a wheel: only numbers without a factor 2, 3, 5 or 7 are tried. The candidates come from
// a closure; a second part factors numbers along the same wheel.
const BASE = [2, 3, 5, 7];

function makeWheel() {
  const circumference = BASE.reduce((a, b) => a * b);
  const spokes = [];
  for (let n = 1; n <= circumference + 1; n++) {
    if (BASE.every((p) => n % p !== 0)) spokes.push(n);
  }
  return spokes.slice(1).map((n, i) => n - spokes[i]);
}
const GAPS = makeWheel();

function candidates() {
  let n = 1;
  let at = -1;
  return () => {
    at++;
    if (at === GAPS.length) at = 0;
    n += GAPS[at];
    return n;
  };
}

function isPrime(n, primes) {
  for (const p of primes) {
    if (p * p > n) return true;
    if (n % p === 0) return false;
  }
  return true;
}

function primesBelow(limit) {
  const next = candidates();
  const found = [];
  for (;;) {
    const n = next();
    if (n >= limit) return BASE.concat(found);
    if (isPrime(n, found)) found.push(n);
  }
}

function factors(n) {
  const out = [];
  for (const p of BASE) {
    while (n % p === 0) { out.push(p); n = Math.floor(n / p); }
  }
  let p = 1 + GAPS[0];
  let at = 0;
  while (p * p <= n) {
    if (n % p === 0) {
      out.push(p);
      n = Math.floor(n / p);
    } else {
      at++;
      if (at === GAPS.length) at = 0;
      p += GAPS[at];
    }
  }
  if (n > 1) out.push(n);
  return out;
}

const primes = primesBelow(700000);
let total = 0;
for (const p of primes) total += p;
let seed = 99;
for (let i = 0; i < 7000; i++) {
  seed = seed * 16807 % 2147483647;
  const parts = factors(seed);
  if (parts.reduce((a, b) => a * b) !== seed) throw new Error("product");
  total += parts.at(-1) % 1000 + parts.length;
}
console.log(`prime_wheel ${primes.length} ${total}`);
