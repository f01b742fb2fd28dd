// Sets up what the tests need and runs them; arguments go to vitest.
//
//   npm test                     all
//   npm test -- test/unit/elf    some

import { spawnSync } from "node:child_process";
import path from "node:path";
import { setup } from "./setup.mjs";

const root = path.resolve(import.meta.dirname, "..");

await setup({ test: true });
const vitest = path.join(root, "node_modules/vitest/vitest.mjs");
const { status, signal } = spawnSync(process.execPath, [vitest, "run", ...process.argv.slice(2)], {
  cwd: root,
  stdio: "inherit",
});
if (signal) process.kill(process.pid, signal);
process.exitCode = status ?? 1;
