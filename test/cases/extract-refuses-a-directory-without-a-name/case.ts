import path from "node:path";
import { type Case, smallApp } from "../../support/case.ts";
import { bundle, run } from "../../support/process.ts";

// An empty folder would have been replaced by what is extracted.
export default {
  files: { ...smallApp, empty: { folder: true } },
  async prepare(cwd) {
    await bundle(["build", "app", "-o", "app.run"], { cwd });
  },
  args: ["extract", "../app.run", "-d", ""],
  run: (cwd, command, args) => run(command, args, { cwd: path.join(cwd, "empty") }),
  code: "E_OPTION_VALUE",
  status: 2,
  stderr: /--directory does not take this value: expected a text that is not empty/,
} satisfies Case;
