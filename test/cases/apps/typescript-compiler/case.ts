import { writeFileSync } from "node:fs";
import { expect } from "vitest";
import type { AppCase } from "../../../support/app.ts";
import { nodeApp } from "../../../support/node-app.ts";

/** Nine megabytes of compiler, which reads its libraries from beside itself. */
export default {
  make: async () => [await nodeApp(import.meta.dirname)],
  async check({ run, home }) {
    writeFileSync(`${home}/input.ts`, "const n: number = [1, 2].at(-1);\nexport { n };\n");
    const { stdout, stderr, status } = await run([`${home}/input.ts`]);
    expect({ stderr, status }).toEqual({ stderr: "", status: 0 });
    expect(stdout).toMatch(/^6 Type 'number \| undefined' is not assignable to type 'number'\./);
    expect(stdout).toContain("input.js const n = [1, 2].at(-1);\nexport { n };\n");
  },
} satisfies AppCase;
