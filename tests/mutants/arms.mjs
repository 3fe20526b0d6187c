// Writes mutants into a copy of the tree: each an arm of the function that it changes, switched on by a number in the
// environment. One build then holds them all.
//
//   node arms.mjs WORK ROOM…
//
// WORK has the tree, and for each room what cargo-mutants knows of it (ROOM.json) and which of that were drawn
// (ROOM.drawn). It gets `mutants.json`: each of them with a `number`, and a `how`: `arm`, `alone` (it is in no
// function, or in one that cannot have arms: it wants a build of its own) or `unviable` (it does not compile). Arms
// that do not compile are found by compiling, until all others do.

import { execFileSync, spawnSync } from "node:child_process";
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

// Times to compile, at most: the compiler tells of borrows when all types are right.
const ROUNDS_MAX = 20;
const CRATES = ["core", "sync-server"];

const [work, ...rooms] = process.argv.slice(2);
const tree = join(work, "tree");
// Two rooms may have drawn the same.
const drawn = new Map();
for (const room of rooms) {
  const known = new Map(JSON.parse(readFileSync(join(work, `${room}.json`), "utf8")).map((it) => [it.name, it]));
  const names = readFileSync(join(work, `${room}.drawn`), "utf8").split("\n").filter(Boolean);
  for (const name of names) drawn.set(name, known.get(name));
}
const mutants = [...drawn.values()];

// The number is read once; which functions are reached is told once each, where somebody asks.
const switchOf = (functions) => `
#[doc(hidden)]
pub fn mutant_on(function: usize) -> usize {
    use std::{io::Write, sync::{OnceLock, atomic::{AtomicBool, Ordering}}};
    static ON: OnceLock<usize> = OnceLock::new();
    static REACHED: OnceLock<Option<std::fs::File>> = OnceLock::new();
    static SEEN: [AtomicBool; ${functions}] = [const { AtomicBool::new(false) }; ${functions}];
    if !SEEN[function].swap(true, Ordering::Relaxed) {
        let file = REACHED.get_or_init(|| {
            let path = std::env::var_os("OUTRIDER_MUTANTS_REACHED")?;
            std::fs::OpenOptions::new().append(true).create(true).open(path).ok()
        });
        if let Some(mut file) = file.as_ref() { let _ = file.write_all(format!("{function}\\n").as_bytes()); }
    }
    *ON.get_or_init(|| std::env::var("OUTRIDER_MUTANT").ok().and_then(|it| it.parse().ok()).unwrap_or(0))
}
`;

function groupBy(those, keyOf) {
  const groups = new Map();
  for (const it of those) groups.set(keyOf(it), [...(groups.get(keyOf(it)) ?? []), it]);
  return groups;
}

// Where places (lines and columns from 1, columns in characters) are in a text.
function placesOf(text) {
  const lines = text.split("\n");
  const starts = [0];
  for (const line of lines) starts.push(starts.at(-1) + line.length + 1);
  return ({ line, column }) =>
    starts[line - 1] + [...lines[line - 1]].slice(0, column - 1).join("").length;
}

// Where the body of a function begins: the first brace outside parentheses and brackets.
function bodyOf(text, from, to) {
  const name = /\bfn\b/g;
  name.lastIndex = from;
  name.exec(text);
  let depth = 0;
  for (let at = name.lastIndex; at < to; at += 1) {
    if (text.startsWith("//", at)) at = text.indexOf("\n", at);
    else if ("([".includes(text[at])) depth += 1;
    else if (")]".includes(text[at])) depth -= 1;
    else if (text[at] === "{" && depth === 0) return at;
  }
  throw new Error(`no body: ${text.slice(from, from + 80)}`);
}

// Arms of different types are boxed where a function returns one that has no name.
function boxOf(type) {
  const of = /^-> impl (Iterator.*)$/.exec(type ?? "")?.[1];
  if (of === undefined) return ["", ""];
  const bounded = /'\w+$/.test(of) ? of : `${of} + '_`;
  return ["Box::new({", `}) as Box<dyn ${bounded}>`];
}

const keyOf = ({ start, end }) => [start.line, start.column, end.line, end.column].join(":");

// Puts the arms of a file's mutants into it, and tells between which lines each of them is.
function write(file, those) {
  const path = join(tree, file);
  const text = readFileSync(path, "utf8");
  const at = placesOf(text);
  const functions = groupBy(those, (mutant) => keyOf(mutant.function.span));
  const found = [...functions.values()]
    .map((mutants) => ({ mutants, span: mutants[0].function.span }))
    .map(({ mutants, span }) => ({ mutants, from: at(span.start), to: at(span.end) }))
    .sort((one, other) => other.from - one.from);
  let written = text;
  let last = text.length + 1;
  for (const { mutants, from, to } of found) {
    const open = bodyOf(text, from, to);
    if (to > last || /\bconst\s+fn\b/.test(text.slice(from, open))) {
      for (const mutant of mutants) mutant.how = "alone";
      continue;
    }
    last = from;
    const [box, boxed] = boxOf(mutants[0].function.return_type);
    const arms = mutants.map(({ number, replacement, span }) => {
      const body = text.slice(open + 1, at(span.start)) + replacement + text.slice(at(span.end), to - 1);
      return `/*ARM ${number}*/ ${number} => { ${box}${body}\n${boxed} } /*END*/\n`;
    });
    const body = `${box} ${text.slice(open + 1, to - 1)} ${boxed}`;
    const name = mutants[0].reach;
    const whole = `{ match crate::mutant_on(${name}) {\n${arms.join("")}_ => { ${body} } } }`;
    written = written.slice(0, open) + whole + written.slice(to);
  }
  writeFileSync(path, written);
  const places = [];
  for (const [row, line] of written.split("\n").entries()) {
    const begun = /\/\*ARM (\d+)\*\//.exec(line);
    if (begun) places.push({ file, number: Number(begun[1]), first: row + 1, last: Infinity });
    if (line.includes("/*END*/")) places.at(-1).last = row + 1;
  }
  return places;
}

// The numbers of the arms that the compiler does not take.
function refused(places) {
  const ran = spawnSync(
    "cargo",
    ["check", "--profile", "mutants", "-p", "outrider-sync-server", "--message-format=json"],
    { cwd: tree, encoding: "utf8", maxBuffer: 1 << 30, stdio: ["ignore", "pipe", "pipe"] },
  );
  if (ran.status === 0) return [];
  const numbers = new Set();
  for (const line of ran.stdout.split("\n").filter((line) => line.startsWith("{"))) {
    const { reason, message } = JSON.parse(line);
    if (reason !== "compiler-message" || message.level !== "error") continue;
    for (const span of message.spans.filter(({ is_primary }) => is_primary)) {
      const arm = places.find(
        ({ file, first, last }) =>
          span.file_name.endsWith(file) && first <= span.line_start && span.line_start <= last,
      );
      if (arm) numbers.add(arm.number);
    }
  }
  if (numbers.size === 0) throw new Error(`the tree does not compile:\n${ran.stderr.slice(-4000)}`);
  return [...numbers];
}

const reaches = new Map();
for (const [at, mutant] of mutants.entries()) {
  mutant.number = at + 1;
  mutant.how = mutant.function ? "arm" : "alone";
  if (mutant.function === null) continue;
  const key = `${mutant.file} ${keyOf(mutant.function.span)}`;
  if (!reaches.has(key)) reaches.set(key, reaches.size);
  mutant.reach = reaches.get(key);
}

for (let round = 1; ; round += 1) {
  if (round > ROUNDS_MAX) throw new Error(`arms that do not compile after ${ROUNDS_MAX} rounds`);
  execFileSync("git", ["checkout", "-q", "."], { cwd: tree });
  const files = groupBy(mutants.filter(({ how }) => how === "arm"), ({ file }) => file);
  const places = [...files].flatMap(([file, those]) => write(file, those));
  for (const crate of CRATES) appendFileSync(join(tree, crate, "src/lib.rs"), switchOf(reaches.size));
  const bad = refused(places);
  if (bad.length === 0) break;
  for (const number of bad) mutants[number - 1].how = "unviable";
  console.error(`round ${round}: ${bad.length} do not compile`);
}
// Whatever is tried in the tree later can be taken back to this.
execFileSync("git", ["-c", "user.name=mutants", "-c", "user.email=mutants@localhost", "commit", "-qam", "with arms", "--allow-empty"], {
  cwd: tree,
});
writeFileSync(join(work, "mutants.json"), JSON.stringify(mutants));
