import { expect } from "vitest";
import type { AppCase } from "../../../support/app.ts";
import { nodeApp } from "../../../support/node-app.ts";

/** A program that imports what it finds in a folder is packed as it is. */
export default {
  make: async () => [await nodeApp(import.meta.dirname)],
  says: /bin\/greet\.js as it is/,
  async check({ run, command, file, home }) {
    const answer = { stdout: "Hello Ada\nBonjour Ada\n", stderr: "", status: 0 };
    expect(await run(["Ada"])).toMatchObject(answer);
    await command(file, ["--bundle-extract", `${home}/out`]);
    const { stdout } = await command("ls", [`${home}/out/app/node_modules`]);
    expect(stdout).toBe("picocolors\n");
  },
} satisfies AppCase;
