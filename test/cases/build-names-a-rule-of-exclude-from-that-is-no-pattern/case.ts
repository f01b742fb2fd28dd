import { type Case, smallApp } from "../../support/case.ts";

export default {
  files: { ...smallApp, rules: "*.o\n[b-a]\n[b-?]\n" },
  args: ["build", "app", "-o", "app.run", "--exclude-from", "rules"],
  code: "E_IGNORE_RULE",
  stderr: /\] rules:3: a set of characters in the rule is none: found "\[b-\?\]"\n/,
} satisfies Case;
