import { expect } from "vitest";
import type { Case } from "../../support/case.ts";
import { bundle } from "../../support/process.ts";

export default {
  files: {
    "app/package.json": '{ "name": "app", "version": "1.0.0", "main": "main.js" }',
    "app/main.js": "console.log(1)\n",
    "app/.bundleignore": "secret*\n!secret-not.txt\n",
    "app/data/secret.txt": "",
    "app/data/secret-not.txt": "",
    "app/data/open.txt": "",
  },
  args: ["build", "app", "-o", "out", "--node", "none", "--include", "data/**"],
  async check(cwd) {
    const { stdout } = await bundle(["dump", "out", "--no-times", "--no-digests"], { cwd });
    const names = stdout.split("\n").map((line) => line.split(" ")[0]?.split("/").at(-1));
    expect(names).toEqual(expect.arrayContaining(["open.txt", "secret-not.txt"]));
    expect(names).not.toContain("secret.txt");
    expect(names).not.toContain(".bundleignore");
  },
} satisfies Case;
