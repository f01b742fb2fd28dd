import { chmodSync } from "node:fs";
import { type Case, smallApp } from "../../support/case.ts";

export default {
  asUser: true,
  files: { ...smallApp, "app/data/secret": "text" },
  prepare: (dir) => chmodSync(`${dir}/app/data/secret`, 0o000),
  args: ["build", "app", "-o", "out"],
  code: "E_FILE_UNREADABLE",
  stderr: /app\/data\/secret: .*permission denied/,
} satisfies Case;
