import { expect } from "vitest";
import type { AppCase } from "../../../support/app.ts";
import { nodeApp } from "../../../support/node-app.ts";

/** An addon with a file of the user's; prebuilt ones for other machines are left out. */
export default {
  make: async () => [await nodeApp(import.meta.dirname)],
  async check({ run, home, command, file }) {
    const database = `${home}/numbers.db`;
    expect(await run([database])).toMatchObject({ stdout: "21\n", stderr: "", status: 0 });
    expect(await run([database])).toMatchObject({ stdout: "42\n", status: 0 });
    const { stdout } = await command(file, ["--bundle-extract", `${home}/out`]);
    expect(stdout).not.toContain("E_");
    const listing = await command("find", [`${home}/out`, "-name", "*.node"]);
    const addons = listing.stdout.trim().split("\n");
    expect(addons.map((name) => name.replace(/.*prebuilds\//, ""))).toEqual([
      `linux-${process.arch}.node`,
    ]);
  },
} satisfies AppCase;
