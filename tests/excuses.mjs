// What a page excuses by name, in one of its sections.

import { readFileSync } from "node:fs";

const ROW = /^\| `([^`]+)` \| `(.+)` \| (.+) \|$/;

// The table rows `| file | what | reason |` under a heading, file and what between backticks.
export function excusesOf(page, heading) {
  const [, begun] = readFileSync(page, "utf8").split(`\n## ${heading}\n`);
  if (begun === undefined) throw new Error(`${page} has no section "${heading}"`);
  const [section] = begun.split("\n## ");
  const rows = section.split("\n").map((line) => ROW.exec(line));
  return rows
    .filter((found) => found !== null)
    .map(([, file, what]) => ({ file, what: what.replaceAll("\\|", "|") }));
}
