import { expect } from "vitest";
import type { AppCase } from "../../../support/app.ts";
import { nodeApp } from "../../../support/node-app.ts";

/** An addon in an optional dependency of its own, with a shared library in another. */
export default {
  make: async () => [await nodeApp(import.meta.dirname)],
  async check({ run }) {
    expect(await run()).toMatchObject({ stdout: "png 64 32 PNG\n", stderr: "", status: 0 });
  },
} satisfies AppCase;
