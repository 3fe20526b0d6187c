// Compares mutants that no test noticed (names on the standard input) with those that a page excuses.
//
//   node judge.mjs ROOM SEED DRAWN UNVIABLE PAGE
//
// The page excuses one by a table row `| file | what was changed | reason |`, file and change between
// backticks; the place in the file is left out, because it moves.

import { readFileSync } from "node:fs";

const [room, seed, drawn, unviable, page] = process.argv.slice(2);
const row = /^\| `([^`]+)` \| `(.+)` \| (.+) \|$/;
const excused = new Set(
  readFileSync(page, "utf8")
    .split("\n")
    .map((line) => row.exec(line))
    .filter((found) => found !== null)
    .map(([, file, change]) => `${file}: ${change.replaceAll("\\|", "|")}`),
);
const names = readFileSync(0, "utf8").split("\n").filter((line) => line !== "");
const left = names.filter((name) => !excused.has(name.replace(/:\d+:\d+: /, ": ")));
for (const name of left) console.log(`survived: ${name}`);
console.log(
  JSON.stringify({
    room,
    seed: Number(seed),
    mutants: Number(drawn),
    unviable: Number(unviable),
    survived: names.length,
    excused: names.length - left.length,
    unexcused: left.length,
  }),
);
process.exit(left.length === 0 ? 0 : 1);
