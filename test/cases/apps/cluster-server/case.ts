import { expect } from "vitest";
import type { AppCase } from "../../../support/app.ts";
import { nodeApp } from "../../../support/node-app.ts";

/** Workers of a cluster are started from process.execPath and the file of the entry. */
export default {
  make: async () => [await nodeApp(import.meta.dirname)],
  async check({ run }) {
    const answer = { stdout: "2 workers answered\n", stderr: "", status: 0 };
    expect(await run()).toMatchObject(answer);
  },
} satisfies AppCase;
