import { chmodSync } from "node:fs";
import { type Case, smallApp } from "../../support/case.ts";

export default {
  asUser: true,
  files: { ...smallApp, "app/a\n\x1b[2Jb": "text" },
  prepare: (dir) => chmodSync(`${dir}/app/a\n\x1b[2Jb`, 0o000),
  args: ["build", "app", "-o", "out"],
  code: "E_FILE_UNREADABLE",
  stderr: /app\/a\\n\\x1b\[2Jb/,
} satisfies Case;
