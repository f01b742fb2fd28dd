// Sets up what the tests need and runs them; arguments go to vitest.
//
//   npm test                       all, the quick kinds first
//   npm test -- test/unit/elf      some
//   npm test -- --changed [REF]    those of what differs from a commit (HEAD), about a minute of them

import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import path from "node:path";
import { setup } from "./setup.mjs";
import { changedFiles, testsOf } from "./test/changed.mjs";
import { expected, measured } from "./test/kinds.mjs";

const root = path.resolve(import.meta.dirname, "..");

/** Every test file, by its path from the root. */
function allTests() {
  return readdirSync(path.join(root, "test"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".test.ts"))
    .map((name) => path.join("test", name));
}

function announce(/** @type {string[]} */ files) {
  const times = measured();
  const seconds = files.reduce((sum, file) => sum + expected(file, times), 0);
  const long =
    seconds < 90 ? `${Math.ceil(seconds)} seconds` : `${Math.ceil(seconds / 60)} minutes`;
  const known = files.filter((file) => file in times).length;
  const by = known > files.length / 2 ? "as measured here" : "as measured on two processors";
  console.log(`test: ${files.length} files, about ${long}, ${by}`);
}

/**
 * Runs vitest.
 *
 * @param {string[]} args
 * @returns {Promise<number>} its exit status
 */
function vitest(args) {
  return new Promise((resolve, reject) => {
    const program = path.join(root, "node_modules/vitest/vitest.mjs");
    const child = spawn(process.execPath, [program, "run", ...args], {
      cwd: root,
      stdio: "inherit",
    });
    child.on("error", reject);
    child.on("close", (status, signal) => {
      if (signal) process.kill(process.pid, signal);
      resolve(status ?? 1);
    });
  });
}

/**
 * Runs the tests of what was changed.
 *
 * @param {string | undefined} ref
 * @returns exit status
 */
async function testChanged(ref) {
  const { files, left, cases } = testsOf(changedFiles(ref));
  if (files.length + cases.length === 0) {
    console.log("test: nothing is changed that a test belongs to");
    return 0;
  }
  announce([...files, ...cases.map(({ file }) => `one of ${file}`)]);
  if (left.length > 0) {
    console.log(`test: for these a minute is too short: npm test -- ${left.join(" ")}`);
  }
  let status = files.length > 0 ? await vitest(files) : 0;
  for (const { file, name } of cases) {
    const [folder] = name.split("/");
    status ||= await vitest([file, "-t", `(^|: )${folder.replaceAll("-", " ")}`]);
  }
  return status;
}

const args = process.argv.slice(2);
await setup({ test: true });
if (args[0] === "--changed") {
  process.exitCode = await testChanged(args[1]);
} else {
  // Options of vitest may choose among the files; what they leave is not known here.
  const named = args.filter((arg) => !arg.startsWith("-"));
  const chosen = allTests().filter(
    (file) => named.length === 0 || named.some((name) => file.includes(name)),
  );
  if (chosen.length > 0) announce(chosen);
  process.exitCode = await vitest(args);
}
