import { expect } from "vitest";
import type { Case } from "../../support/case.ts";
import { bundle } from "../../support/process.ts";

export default {
  args: ["completions", "bash"],
  stdout: /complete -o default -F _bundle bundle\n/,
  async check() {
    expect((await bundle(["completions", "zsh"])).stdout).toMatch(/^#compdef bundle/);
    expect((await bundle(["completions", "fish"])).stdout).toMatch(/^complete -c bundle/m);
  },
} satisfies Case;
