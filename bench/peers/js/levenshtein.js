// Edit distances of all pairs of words, by two rows of the table; also the nearest word of each.
function distance(a, b) {
  const n = b.length;
  let before = [];
  let row = [];
  for (let j = 0; j <= n; j++) {
    before.push(j);
    row.push(j);
  }
  for (let i = 0; i < a.length; i++) {
    const c = a.charCodeAt(i);
    row[0] = i + 1;
    for (let j = 0; j < n; j++) {
      let cost = before[j];
      if (c !== b.charCodeAt(j)) {
        if (before[j + 1] < cost) cost = before[j + 1];
        if (row[j] < cost) cost = row[j];
        cost++;
      }
      row[j + 1] = cost;
    }
    [before, row] = [row, before];
  }
  return before[n];
}

function makeWords(count) {
  const letters = "etaoinshrdlu";
  let seed = 7;
  const words = [];
  for (let i = 0; i < count; i++) {
    let word = "";
    for (let k = 0; k < 8 + i % 13; k++) {
      seed = seed * 16807 % 2147483647;
      word += letters[seed % letters.length];
    }
    words.push(word);
  }
  return words;
}

const words = makeWords(170);
let total = 0;
let nearest = 0;
for (const a of words) {
  let best = 100;
  for (const b of words) {
    if (a === b) continue;
    const d = distance(a, b);
    total += d;
    best = Math.min(best, d);
  }
  nearest += best;
}
console.log(`levenshtein ${total} ${nearest}`);
