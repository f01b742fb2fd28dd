import { expect } from "vitest";
import type { AppCase } from "../../../support/app.ts";
import { nodeApp } from "../../../support/node-app.ts";

/** Express requires the view engine by a name that it makes at run time. */
export default {
  make: async () => [await nodeApp(import.meta.dirname)],
  async check({ run }) {
    const answer = { stdout: "<p>Hello views</p>\n\n", stderr: "", status: 0 };
    expect(await run()).toMatchObject(answer);
  },
} satisfies AppCase;
