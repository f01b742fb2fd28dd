import { expect } from "vitest";
import type { AppCase } from "../../../support/app.ts";
import { nodeApp } from "../../../support/node-app.ts";

/** A file in place of a folder, paths of tsconfig.json, a worker, and a stack in the sources. */
export default {
  make: async () => [`${await nodeApp(import.meta.dirname)}/src/main.ts`],
  async check({ run }) {
    const { stdout, stderr, status } = await run();
    expect(stdout).toBe("42 src/lib/place.ts data\na worker beside src/lib/place.ts\n");
    expect(stderr).toMatch(/Error: on purpose\n +at fail \(.*\/app\/src\/lib\/place\.ts:11:/);
    expect(stderr).toMatch(/at Worker\.<anonymous> \(.*\/app\/src\/main\.ts:14:/);
    expect(status).toBe(1);
  },
} satisfies AppCase;
