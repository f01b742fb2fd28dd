import { existsSync, readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { expect } from "vitest";
import type { AppCase } from "../../../support/app.ts";
import { nodeApp } from "../../../support/node-app.ts";

/** Children by fork and by process.execPath; one of them outlives the app and keeps its files. */
export default {
  make: async () => [await nodeApp(import.meta.dirname)],
  async check({ run, home }) {
    const file = `${home}/late`;
    const env = { NODE_OPTIONS: "--throw-deprecation --no-such-option" };
    const answer = { stdout: "forked: ,true\n", stderr: "", status: 0 };
    expect(await run([file], { env })).toMatchObject(answer);
    while (!existsSync(file)) await setTimeout(20);
    expect(readFileSync(file, "utf8")).toBe("still here true\n");
  },
} satisfies AppCase;
