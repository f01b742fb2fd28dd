// What must not be in the repository: machine paths, binaries, others' sources, unfinished tests and merges.

import { execFileSync } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import path from "node:path";

const root = path.resolve(import.meta.dirname, "../..");

/** Larger files are generated, binary or someone else's. Bytes; the lock file is npm's own size. */
const MAX_BYTES = 200_000;

/** Files that git has or would take. */
function candidates() {
  const args = ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"];
  return execFileSync("git", args, { cwd: root, encoding: "utf8" }).split("\0").filter(Boolean);
}

const licence =
  /\b(SPDX-License-Identifier|GNU (Lesser )?General Public License|Licensed under the)\b/;

function fileProblems(/** @type {string} */ file) {
  const full = path.join(root, file);
  const stats = statSync(full, { throwIfNoEntry: false });
  if (stats === undefined || !stats.isFile()) return [];
  const problems = [];
  if (stats.size > MAX_BYTES && file !== "package-lock.json") {
    problems.push(`${file} has ${stats.size} bytes`);
  }
  const bytes = readFileSync(full);
  if (bytes.includes(0)) return [...problems, `${file} is binary`];
  const text = bytes.toString("utf8");
  // The checkout's own path, and home folders: neither means anything on another machine. Two rooms are called root.
  for (const pattern of [root, /\/(?:home|Users)\/[a-z]/, /(?<!\b(?:runtime|test))\/root\//]) {
    const found = typeof pattern === "string" ? text.includes(pattern) : pattern.test(text);
    if (found && file !== "scripts/check/tree.mjs") {
      problems.push(`${file} holds a path of one machine: ${pattern}`);
    }
  }
  if (licence.test(text) && file !== "scripts/check/tree.mjs" && file !== "package-lock.json") {
    problems.push(`${file} carries a third party's licence header`);
  }
  // Seven equals signs alone underline a heading in some texts; the others are git's own.
  if (/^(<{7}|>{7}|\|{7}) /m.test(text))
    problems.push(`${file} holds a merge that is not finished`);
  if (/\b(test|it|describe)\.only\(/.test(text)) problems.push(`${file} runs only some tests`);
  if (!file.startsWith("examples/") && text !== "" && !text.endsWith("\n")) {
    problems.push(`${file} does not end with a newline`);
  }
  return problems;
}

export async function treeProblems() {
  return candidates().flatMap(fileProblems);
}
