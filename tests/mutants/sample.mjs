// Draws lines of the standard input by a seed, and prints them in their order.
//
//   node sample.mjs SEED COUNT

import { readFileSync } from "node:fs";

const [seed, count] = process.argv.slice(2).map(Number);
const lines = readFileSync(0, "utf8").split("\n").filter((line) => line !== "");

// mulberry32: small, and the same everywhere.
let state = seed >>> 0;
function draw() {
  state = (state + 0x6d2b79f5) >>> 0;
  let mixed = Math.imul(state ^ (state >>> 15), state | 1);
  mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
}

const left = lines.map((_, at) => at);
const drawn = [];
while (drawn.length < count && left.length > 0) {
  const [at] = left.splice(Math.floor(draw() * left.length), 1);
  drawn.push(at);
}
for (const at of drawn.sort((one, other) => one - other)) console.log(lines[at]);
