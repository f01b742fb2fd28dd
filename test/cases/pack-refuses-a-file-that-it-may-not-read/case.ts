import { chmodSync } from "node:fs";
import { type Case, smallApp } from "../../support/case.ts";

export default {
  files: { ...smallApp, "app/secret": "x" },
  prepare: (dir) => chmodSync(`${dir}/app/secret`, 0),
  asUser: true,
  args: ["pack", "app", "-o", "out.zip"],
  code: "E_FILE_UNREADABLE",
  stderr: /app\/secret: cannot be read: permission denied/,
} satisfies Case;
