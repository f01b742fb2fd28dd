import { type Case, smallApp } from "../../support/case.ts";

export default {
  files: { ...smallApp, "app/bin/notes": "text" },
  args: ["build", "app", "-o", "out", "--entry", "bin/notes"],
  code: "E_ENTRY_NOT_EXECUTABLE",
  stderr: /bin\/notes.*\n.*--chmod bin\/notes=\+x/,
} satisfies Case;
