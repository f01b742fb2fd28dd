import { existsSync } from "node:fs";
import { expect } from "vitest";
import type { Case } from "../../support/case.ts";
import { WORTH_COMPILING } from "../../support/node-app.ts";
import { asUser, bundle, run } from "../../support/process.ts";
import { userDirectory } from "../../support/temporary.ts";

/** The app writes a file when it runs, which building it must not do. */
const main = `${WORTH_COMPILING}import { writeFileSync } from "node:fs";
import { part } from "part";
writeFileSync(process.env.MARK ?? "/nonexistent/mark", "ran");
console.log(part);`;

export default {
  needs: ["userns", "fuse"],
  files: {
    "app/package.json": '{ "type": "module", "dependencies": { "part": "1" } }',
    "app/index.js": main,
    "app/node_modules/part/package.json": '{ "name": "part" }',
    "app/node_modules/part/index.js": "exports.part = __filename.length > 0;",
  },
  args: ["build", "app", "-o", "out", "--compression", "zstd:1"],
  async check(cwd) {
    expect(existsSync(`${cwd}/mark`)).toBe(false);
    const again = await bundle(["build", "app", "-o", "again", "--compression", "zstd:1"], { cwd });
    expect(again).toMatchObject({ status: 0 });
    const [one, two] = await Promise.all(
      ["out", "again"].map((name) => run("sha256sum", [`${cwd}/${name}`])),
    );
    expect(one?.stdout.split(" ")[0]).toBe(two?.stdout.split(" ")[0]);
    const home = userDirectory();
    const env = { MARK: `${home}/mark`, NODE_DEBUG_NATIVE: "COMPILE_CACHE" };
    for (const { stdout, stderr } of [
      await run(`${cwd}/out`, [], { env: { ...env, HOME: home } }),
      await asUser(`${cwd}/out`, [], userDirectory(), { env: { ...env, MARK: "/dev/null" } }),
    ]) {
      expect(stdout).toBe("true\n");
      expect(stderr).toMatch(/code cache for ESM .*\/app\/index\.js was accepted/);
      expect(stderr).toMatch(/code cache for CommonJS .*\/part\/index\.js was accepted/);
    }
  },
} satisfies Case;
