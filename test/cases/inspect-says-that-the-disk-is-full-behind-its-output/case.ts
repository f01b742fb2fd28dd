import { type Case, smallApp } from "../../support/case.ts";
import { bundle, run } from "../../support/process.ts";

export default {
  files: smallApp,
  async prepare(cwd) {
    await bundle(["build", "app", "-o", "app.run"], { cwd });
  },
  args: ["inspect", "app.run"],
  run: (cwd, command, args) =>
    run("sh", ["-c", '"$@" > /dev/full', "sh", command, ...args], { cwd }),
  code: "E_OUTPUT_NO_SPACE",
  stdout: /^$/,
  stderr: /what it printed is not whole/,
} satisfies Case;
