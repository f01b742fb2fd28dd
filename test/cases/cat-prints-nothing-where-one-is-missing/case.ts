import { type Case, smallApp } from "../../support/case.ts";
import { bundle } from "../../support/process.ts";

export default {
  files: { ...smallApp, "app/etc/one": "first\n" },
  async prepare(cwd) {
    await bundle(["build", "app", "-o", "out"], { cwd });
  },
  args: ["cat", "out", "etc/one", "etc"],
  code: "E_PATH_INVALID",
  stdout: /^$/,
  stderr: /etc: it is a directory\n.*bundle extract FILE PATH/,
} satisfies Case;
