import { type Case, smallApp } from "../../support/case.ts";
import { bundle } from "../../support/process.ts";

export default {
  files: smallApp,
  async prepare(cwd) {
    await bundle(["build", "app", "-o", "out"], { cwd });
  },
  args: ["extract", "out", "bin", "etc"],
  code: "E_PATH_INVALID",
  stderr: /etc: the image has nothing of this name\n.*inspect --list/,
} satisfies Case;
