import { expect } from "vitest";
import type { AppCase } from "../../../support/app.ts";
import { nodeApp } from "../../../support/node-app.ts";

/** A server of fifty packages; its log library starts workers and stays real files. */
export default {
  make: async () => [await nodeApp(import.meta.dirname)],
  says: /^kind: node \(it has package\.json\); server\.js bundled, run by Node 24/m,
  async check({ run }) {
    const { stdout, stderr, status } = await run();
    expect({ stderr, status }).toEqual({ stderr: "", status: 0 });
    expect(stdout).toContain('{"hello":"world"}\n');
    expect(stdout).toContain('"msg":"request completed"');
  },
} satisfies AppCase;
