// Compares lines that no test ran (an lcov report) with those that a page excuses.
//
//   node judge.mjs REPORT PAGE
//
// The page excuses a line by a table row `| file | line of code | reason |`, file and code between
// backticks. An excuse of a line that is run, or is not there, fails too: excuses go when they are not
// needed.

import { readFileSync } from "node:fs";
import { relative } from "node:path";

import { excusesOf } from "../excuses.mjs";

// What is asked for, room by room.
const ROOMS = {
  kernel: [/^core\/src\/crdt\//],
  access: [/^core\/src\/access(\/|\.rs$)/, /^sync-server\/src\/accept\/access\.rs$/],
  accept: [/^sync-server\/src\/accept(\/(?!access)|\.rs$)/],
  session: [/^core\/src\/replica\/(session\/|(session|push|pull|recover|parted)\.rs$)/],
};

const [report, page] = process.argv.slice(2);

const roomOf = (file) =>
  Object.keys(ROOMS).find((room) => ROOMS[room].some((pattern) => pattern.test(file)));

// By file: how often each line was run.
function readReport(path) {
  const files = new Map();
  let lines;
  for (const entry of readFileSync(path, "utf8").split("\n")) {
    if (entry.startsWith("SF:")) {
      const file = relative(process.cwd(), entry.slice(3));
      lines = new Map();
      if (roomOf(file)) files.set(file, lines);
    } else if (entry.startsWith("DA:")) {
      const [number, count] = entry.slice(3).split(",").map(Number);
      lines.set(number, Math.max(count, lines.get(number) ?? 0));
    }
  }
  return files;
}

function readExcuses(path) {
  const excuses = excusesOf(path, "Lines that no test runs");
  return excuses.map(({ file, what }) => ({ file, code: what, used: 0 }));
}

const files = readReport(report);
const excuses = readExcuses(page);
const counts = Object.fromEntries(Object.keys(ROOMS).map((room) => [room, { all: 0, run: 0, excused: 0 }]));
let missing = 0;
for (const [file, lines] of [...files].sort()) {
  const source = readFileSync(file, "utf8").split("\n");
  const count = counts[roomOf(file)];
  for (const [number, times] of [...lines].sort((one, other) => one[0] - other[0])) {
    count.all += 1;
    if (times > 0) {
      count.run += 1;
      continue;
    }
    const code = source[number - 1].trim();
    const excuse = excuses.find((known) => known.file === file && known.code === code);
    if (excuse) {
      excuse.used += 1;
      count.excused += 1;
    } else {
      missing += 1;
      console.log(`${file}:${number}: ${code}`);
    }
  }
}
const idle = excuses.filter((excuse) => excuse.used === 0);
for (const { file, code } of idle) console.log(`${file}: excused, and run or gone: ${code}`);
console.log(JSON.stringify({ ...counts, missing, idle: idle.length }));
if (files.size === 0) {
  console.error("the report has none of the files");
  process.exit(1);
}
process.exit(missing + idle.length > 0 ? 1 : 0);
