import { execFileSync } from "node:child_process";
import { type Case, smallApp } from "../../support/case.ts";

export default {
  files: smallApp,
  prepare: (dir) => {
    execFileSync("mkfifo", [`${dir}/app/pipe`]);
  },
  args: ["build", "app", "-o", "out"],
  code: "E_FILE_KIND",
  stderr: /app\/pipe: a fifo is not packed[\s\S]*--devices/,
} satisfies Case;
