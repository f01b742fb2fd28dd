import { expect } from "vitest";
import type { AppCase } from "../../../support/app.ts";
import { nodeApp } from "../../../support/node-app.ts";

/** Top-level await, and files found from import.meta of modules in several folders. */
export default {
  make: async () => [await nodeApp(import.meta.dirname)],
  async check({ run }) {
    const { stdout, stderr, status } = await run();
    expect({ stderr, status }).toEqual({ stderr: "", status: 0 });
    expect(stdout.split("\n")).toEqual([
      "from the assets",
      "app/src/lib/text.js",
      "module-with-assets true",
      "true",
      "late true",
      "",
    ]);
  },
} satisfies AppCase;
