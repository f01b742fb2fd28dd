import { readFileSync } from "node:fs";
import { expect } from "vitest";
import type { AppCase } from "../../../support/app.ts";
import { nodeApp } from "../../../support/node-app.ts";

/** A log transport in a worker, which loads a package that nobody imports. */
export default {
  make: async () => [await nodeApp(import.meta.dirname)],
  async check({ run, home }) {
    const log = `${home}/log`;
    expect(await run([log])).toMatchObject({ stdout: "", stderr: "", status: 0 });
    expect(readFileSync(log, "utf8")).toBe("INFO: written by a worker\n");
  },
} satisfies AppCase;
