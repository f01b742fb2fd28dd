import { execFileSync } from "node:child_process";
import { type Case, smallApp } from "../../support/case.ts";

export default {
  files: smallApp,
  prepare: (dir) => {
    execFileSync("mkfifo", [`${dir}/app/pipe`]);
  },
  args: ["pack", "app", "-o", "out.zip"],
  code: "E_FILE_KIND",
  stderr: /pipe: a fifo is not packed[\s\S]*pack it as \.sfs with --devices/,
} satisfies Case;
