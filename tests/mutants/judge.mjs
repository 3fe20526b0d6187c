// Says what came of a room's mutants, and compares those that no test noticed with those that a page excuses.
//
//   node judge.mjs ROOM SEED KNOWN DRAWN RESULTS PAGE
//
// KNOWN is what cargo-mutants knows of the room. The page excuses one by a table row
// `| file | column: what was changed | reason |`, both between backticks; the line is left out, because it moves.
// An excuse of what there is no more fails too.

import { readFileSync } from "node:fs";

import { excusesOf } from "../excuses.mjs";

const [room, seed, known, drawn, results, page] = process.argv.slice(2);
const excused = new Set(
  excusesOf(page, "Faults that no test notices").map(({ file, what }) => `${file}: ${what}`),
);
const excuseOf = (name) => name.replace(/:\d+:(\d+): /, ": $1: ");
const lines = (path) => readFileSync(path, "utf8").split("\n").filter((line) => line !== "");
const came = new Map(lines(results).map((line) => JSON.parse(line)).map(({ name, result }) => [name, result]));
const of = (result) => lines(drawn).filter((name) => came.get(name) === result);
const names = of("survived");
const untried = lines(drawn).filter((name) => !came.has(name)).length;
const left = names.filter((name) => !excused.has(excuseOf(name)));
const all = JSON.parse(readFileSync(known, "utf8"));
const files = new Set(all.map(({ file }) => file));
const there = new Set(all.map(({ name }) => excuseOf(name)));
const idle = [...excused].filter((excuse) => files.has(excuse.split(": ")[0]) && !there.has(excuse));
for (const excuse of idle) console.log(`excused, and there no more: ${excuse}`);
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
    idle: idle.length,
  }),
);
// Where nothing was drawn nothing was shown.
process.exit(lines(drawn).length > 0 && left.length + untried + idle.length === 0 ? 0 : 1);
