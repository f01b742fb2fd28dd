import { mkdirSync, writeFileSync } from "node:fs";
import { type Case, smallApp } from "../../support/case.ts";
import { bundle, run } from "../../support/process.ts";

export default {
  files: smallApp,
  async prepare(cwd) {
    mkdirSync(`${cwd}/app/many`);
    for (let n = 0; n < 5000; n++) writeFileSync(`${cwd}/app/many/a-rather-long-name-${n}`, "");
    await bundle(["build", "app", "-o", "out", "--compression", "none"], { cwd });
  },
  args: ["inspect", "out", "--list"],
  run: (cwd, command, args) => {
    const script = '("$@"; echo "status $?" >&2) | head -n 1';
    return run("sh", ["-c", script, "sh", command, ...args], { cwd });
  },
  stderr: /^status 0\n$/,
} satisfies Case;
