import { statSync } from "node:fs";
import { expect } from "vitest";
import type { Case } from "../../support/case.ts";
import { bundle } from "../../support/process.ts";

export default {
  args: ["runtime", "--arch", "aarch64", "-o", "copy", "--json"],
  async check(cwd, { stdout }) {
    expect(JSON.parse(stdout)).toMatchObject({ path: `${cwd}/copy`, arch: "aarch64" });
    const shown = await bundle(["runtime", "--arch", "aarch64"], { cwd });
    const [copy, original] = [statSync(`${cwd}/copy`), statSync(shown.stdout.trim())];
    expect(copy.size).toBe(original.size);
    expect(copy.mode & 0o100).toBe(0o100);
  },
} satisfies Case;
