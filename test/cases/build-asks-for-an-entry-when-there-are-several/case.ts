import { type Case, program } from "../../support/case.ts";

export default {
  files: { "app/one": program, "app/two": program, "app/bin/three": program },
  args: ["build", "app", "-o", "out"],
  code: "E_ENTRY_AMBIGUOUS",
  stderr: /one, two, bin\/three[\s\S]*--entry one/,
} satisfies Case;
