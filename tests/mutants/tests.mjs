// The test programs of a tree: builds them, lists their tests, and runs one.

import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

// Kilobytes of memory of each process: a mutant may want all there is.
const MEMORY_KIB_MAX = 12 * 1024 * 1024;
// Tests of random cases run a share of them: they fail early or seldom.
const CASES = "/20";
const PACKAGES = ["outrider-core", "outrider-sync-server", "outrider-conformance", "outrider-sim"];

// The test programs of the tree as it is now, or nothing if it does not compile.
export function build(tree) {
  const asked = PACKAGES.flatMap((name) => ["-p", name]);
  const ran = spawnSync(
    "cargo",
    ["test", "--no-run", "--profile", "mutants", "--lib", "--bins", "--tests", ...asked, "--message-format=json"],
    { cwd: tree, encoding: "utf8", maxBuffer: 1 << 30, stdio: ["ignore", "pipe", "inherit"] },
  );
  const told = ran.stdout
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line));
  if (ran.status !== 0) {
    // A full disk or a killed linker says nothing of the code.
    const isRefused = told.some(({ reason, message }) => reason === "compiler-message" && message.level === "error");
    if (!isRefused) throw new Error("the tests were not built, and not because of the code");
    return null;
  }
  return told
    .filter(({ executable, profile }) => executable && profile?.test)
    .map(({ executable, manifest_path, target }) => ({
      name: `${dirname(manifest_path).slice(tree.length + 1)} ${target.kind[0]} ${target.name}`,
      program: executable,
      folder: dirname(manifest_path),
    }));
}

// The tests of a program, but for those that are run by hand.
export function testsOf(binary) {
  const names = (...flags) => {
    const ran = spawnSync(binary.program, ["--list", "--format", "terse", ...flags], {
      cwd: binary.folder,
      encoding: "utf8",
      maxBuffer: 1 << 26,
    });
    return ran.stdout.split("\n").flatMap((line) => /^(.+): test$/.exec(line)?.[1] ?? []);
  };
  const ignored = new Set(names("--ignored"));
  return names()
    .filter((name) => !ignored.has(name))
    .map((name) => ({ binary, name, key: `${binary.name} ${name}` }));
}

// Runs a test in a process group and a folder of its own: `ok`, `failed`, or `slow` when its time is over.
export function run(test, seconds, variables) {
  const folder = mkdtempSync(join(tmpdir(), "outrider-mutant-"));
  const limited = `ulimit -v ${MEMORY_KIB_MAX}; exec "$@"`;
  const { program, folder: cwd } = test.binary;
  const child = spawn("bash", ["-c", limited, "bash", program, "--exact", test.name, "--test-threads=1"], {
    cwd,
    env: { ...process.env, TMPDIR: folder, OUTRIDER_CASES: CASES, CARGO_MANIFEST_DIR: cwd, ...variables },
    stdio: "ignore",
    detached: true,
  });
  return new Promise((resolve) => {
    let isSlow = false;
    const end = () => {
      try {
        process.kill(-child.pid, "SIGKILL");
      } catch {
        // Nothing of it is left.
      }
    };
    const timer = setTimeout(() => {
      isSlow = true;
      end();
    }, seconds * 1000);
    child.on("close", (code) => {
      clearTimeout(timer);
      end();
      rmSync(folder, { recursive: true, force: true });
      resolve(isSlow ? "slow" : code === 0 ? "ok" : "failed");
    });
  });
}
