// Says what came of a room's mutants, and compares those that no test noticed with those that a page excuses.
//
//   node judge.mjs ROOM SEED DRAWN RESULTS PAGE
//
// The page excuses one by a table row `| file | what was changed | reason |`, file and change between
// backticks; the place in the file is left out, because it moves.

import { readFileSync } from "node:fs";

import { excusesOf } from "../excuses.mjs";

const [room, seed, drawn, results, page] = process.argv.slice(2);
const excused = new Set(
  excusesOf(page, "Faults that no test notices").map(({ file, what }) => `${file}: ${what}`),
);
const lines = (path) => readFileSync(path, "utf8").split("\n").filter((line) => line !== "");
const came = new Map(lines(results).map((line) => JSON.parse(line)).map(({ name, result }) => [name, result]));
const of = (result) => lines(drawn).filter((name) => came.get(name) === result);
const names = of("survived");
const untried = lines(drawn).filter((name) => !came.has(name)).length;
const left = names.filter((name) => !excused.has(name.replace(/:\d+:\d+: /, ": ")));
for (const name of left) console.log(`survived: ${name}`);
console.log(
  JSON.stringify({
    room,
    seed: Number(seed),
    mutants: lines(drawn).length,
    caught: of("caught").length,
    timeout: of("timeout").length,
    unviable: of("unviable").length,
    survived: names.length,
    excused: names.length - left.length,
    unexcused: left.length,
    untried,
  }),
);
// Where nothing was drawn nothing was shown.
process.exit(lines(drawn).length > 0 && left.length + untried === 0 ? 0 : 1);
