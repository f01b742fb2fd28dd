import { expect } from "vitest";
import type { AppCase } from "../../../support/app.ts";
import { nodeApp } from "../../../support/node-app.ts";

/** Injection by the types of parameters, which only a compiler with types puts there. */
export default {
  make: async () => [await nodeApp(import.meta.dirname)],
  says: /src\/main\.ts bundled, run by Node 24/,
  async check({ run }) {
    expect(await run()).toMatchObject({ stdout: "Store [ 7 ]\n", stderr: "", status: 0 });
    expect((await run(["fail"])).stderr).toMatch(/at \w+\.fail \(.*src\/store\.ts:14:/);
  },
} satisfies AppCase;
