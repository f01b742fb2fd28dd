import { type Case, smallApp } from "../../support/case.ts";
import { bundle } from "../../support/process.ts";

export default {
  files: { ...smallApp, "there/file": "text" },
  async prepare(cwd) {
    await bundle(["build", "app", "-o", "out"], { cwd });
  },
  args: ["extract", "out", "-d", "there"],
  code: "E_EXTRACT_EXISTS",
} satisfies Case;
