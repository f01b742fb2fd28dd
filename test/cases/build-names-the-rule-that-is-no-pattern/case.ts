import { type Case, smallApp } from "../../support/case.ts";

export default {
  files: { ...smallApp, "app/.bundleignore": "*.o\n# a slip\n[build/\n" },
  args: ["build", "app", "-o", "app.run"],
  code: "E_IGNORE_RULE",
  stderr:
    /\] app\/\.bundleignore:3: a set of characters in the rule is none: found "\[build\/"\n {2}Rules are those of \.gitignore/,
} satisfies Case;
