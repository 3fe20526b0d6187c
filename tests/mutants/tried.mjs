// Tries mutants: runs the tests that reach each of them, until one fails.
//
//   node tried.mjs TREE MUTANTS RESULTS
//
// TREE is what `arms.mjs` wrote, MUTANTS its list. RESULTS gets a line of JSON for each mutant; what has one is not
// tried again. First all tests run without a fault, and have to pass: it tells how long each takes, and which
// functions it reaches.

import { spawnSync } from "node:child_process";
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { build, run, testsOf } from "./tests.mjs";

// How long a test may take: so many times what it takes without a fault, and some more.
const TIMES_MAX = 10;
const SECONDS_MORE = 20;
const SECONDS_MAX = 3600;
const PROGRESS_MS = 30_000;
const JOBS = Number(process.env.OUTRIDER_MUTANTS_JOBS ?? availableParallelism());
// What survives the first so many seconds of its tests is tried with the others when all have had theirs.
const FIRST_S = Number(process.env.OUTRIDER_MUTANTS_FIRST_S ?? 30);

const [tree, list, results] = process.argv.slice(2);
const mutants = JSON.parse(readFileSync(list, "utf8"));

// Works off a list, and says every so often how far it is.
async function inParallel(what, those, work) {
  const left = [...those];
  const tell = () => console.error(`${what}: ${those.length - left.length} of ${those.length}`);
  const timer = setInterval(tell, PROGRESS_MS);
  const worker = async () => {
    while (left.length > 0) await work(left.shift());
  };
  await Promise.all(Array.from({ length: JOBS }, worker));
  clearInterval(timer);
}

const linesOf = (path) =>
  existsSync(path) ? readFileSync(path, "utf8").split("\n").filter(Boolean).map((line) => JSON.parse(line)) : [];
const addLine = (path, line) => appendFileSync(path, `${JSON.stringify(line)}\n`);

// How long each test takes, and what it reaches. Those that pass are not measured twice.
async function measure(tests) {
  const path = `${results}.tests`;
  const known = new Map(linesOf(path).map((line) => [line.key, line]));
  for (const test of tests) Object.assign(test, known.get(test.key));
  const bad = [];
  await inParallel("tests without a fault", tests.filter(({ reached }) => !reached), async (test) => {
    const file = join(mkdtempSync(join(tmpdir(), "outrider-reached-")), "functions");
    const begun = performance.now();
    const came = await run(test, SECONDS_MAX, { OUTRIDER_MUTANTS_REACHED: file });
    test.seconds = (performance.now() - begun) / 1000;
    test.reached = [...new Set(linesOf(file))];
    rmSync(dirname(file), { recursive: true });
    const { key, seconds, reached } = test;
    if (came === "ok") addLine(path, { key, seconds, reached });
    else bad.push(key);
  });
  if (bad.length > 0) throw new Error(`these fail without a fault:\n${bad.join("\n")}`);
}

// Tests that fail now and then, whatever the fault: they say nothing.
const unsteady = new Set();

// Tries a mutant with tests that are given in their order. What a test catches counts if it passes right after
// without the fault, or (of number 0, which is built in) fails once more.
async function tried(tests, number) {
  for (const test of tests.filter((it) => !unsteady.has(it.key))) {
    const seconds = TIMES_MAX * test.seconds + SECONDS_MORE;
    const came = await run(test, seconds, { OUTRIDER_MUTANT: `${number}` });
    if (came === "ok") continue;
    const isOk = (await run(test, seconds, {})) === "ok";
    if (isOk === (number === 0)) {
      unsteady.add(test.key);
      console.log(`fails now and then, whatever the fault: ${test.key}`);
      continue;
    }
    return { result: came === "slow" ? "timeout" : "caught", test };
  }
  return { result: "survived" };
}

function note({ name, number }, result, test) {
  addLine(results, { name, number, result, test: test?.key });
  if (result === "survived") console.log(`survived: ${name}`);
}

const over = new Set(linesOf(results).map(({ name }) => name));
const open = mutants.filter(({ name }) => !over.has(name));
for (const mutant of open.filter(({ how }) => how === "unviable")) note(mutant, "unviable");

// A run that was broken off may have left a mutant there.
const restore = () => spawnSync("git", ["checkout", "-q", "."], { cwd: tree });
restore();
const binaries = build(tree);
if (binaries === null) throw new Error("the tests do not compile");
const tests = binaries.flatMap(testsOf);
await measure(tests);
// A test that reaches little looks at that closely.
const costOf = ({ seconds, reached }) => seconds * reached.length;
tests.sort((one, other) => costOf(one) - costOf(other));
console.log(`${tests.length} tests, ${Math.round(tests.reduce((sum, { seconds }) => sum + seconds, 0))} s without a fault`);

// Who caught a fault of a function, or of its file, most likely catches the next one.
const catchers = new Map();
const catchersOf = (place) => catchers.get(place) ?? new Set();
const survivors = [];

function noteTried(mutant, { result, test }) {
  for (const place of test ? [mutant.reach, mutant.file] : []) {
    catchers.set(place, catchersOf(place).add(test));
  }
  note(mutant, result, test);
}

await inParallel("mutants", open.filter(({ how }) => how === "arm"), async (mutant) => {
  const all = tests.filter(({ reached }) => reached.includes(mutant.reach));
  const known = [...catchersOf(mutant.reach), ...catchersOf(mutant.file)];
  const order = [...new Set([...known.filter((test) => all.includes(test)), ...all])];
  let seconds = 0;
  const first = order.filter((test) => (seconds += test.seconds) <= FIRST_S);
  const came = await tried(first, mutant.number);
  if (came.result === "survived") survivors.push({ mutant, left: order.slice(first.length) });
  else noteTried(mutant, came);
});
console.error(`${survivors.length} survived the first ${FIRST_S} s of their tests`);
for (const { mutant } of survivors) console.error(`  ${mutant.name}`);
await inParallel("survivors, by all other tests", survivors, async ({ mutant, left }) => {
  noteTried(mutant, await tried(left, mutant.number));
});

// What has no arm is built by itself: all tests are tried.
for (const mutant of open.filter(({ how }) => how === "alone")) {
  const path = join(tree, mutant.file);
  const original = spawnSync("git", ["show", `HEAD~1:${mutant.file}`], { cwd: tree, encoding: "utf8" }).stdout;
  const lines = original.split("\n");
  const { start, end } = mutant.span;
  const cut = (line, from, to) => [...lines[line - 1]].slice(from, to).join("");
  lines.splice(
    start.line - 1,
    end.line - start.line + 1,
    cut(start.line, 0, start.column - 1) + mutant.replacement + cut(end.line, end.column - 1),
  );
  writeFileSync(path, lines.join("\n"));
  const built = build(tree);
  if (built === null) note(mutant, "unviable");
  else {
    // They may have other names than before.
    const programs = new Map(built.map((binary) => [binary.name, binary]));
    const anew = tests.map((test) => ({ ...test, binary: programs.get(test.binary.name) }));
    const { result, test } = await tried(anew, 0);
    note(mutant, result, test);
  }
  restore();
}
