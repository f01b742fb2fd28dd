/** Builds every app here once, and starts it as root and as an ordinary user. */
import { chmodSync, existsSync, mkdirSync, readdirSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect } from "vitest";
import type { AppCase, Started } from "../../support/app.ts";
import { missing, skipUnless } from "../../support/needs.ts";
import { asUser, bundle, run } from "../../support/process.ts";
import { temporaryDirectory, userDirectory } from "../../support/temporary.ts";

const here = import.meta.dirname;

const starters = [
  { who: "as root", root: true, needs: ["root"] },
  { who: "as a user", root: false, needs: ["fuse", "userns"] },
] as const;

for (const name of readdirSync(here).sort()) {
  const module = path.join(here, name, "case.ts");
  if (!existsSync(module)) continue;
  const { default: app } = (await import(module)) as { default: AppCase };
  describe(name.replaceAll("-", " "), () => {
    let dir = "";
    const file = () => path.join(dir, "out", `${name}.run`);
    const needs = app.needs ?? [];

    beforeAll(async () => {
      if (needs.some((need) => missing(need) !== undefined)) return;
      dir = temporaryDirectory();
      mkdirSync(path.join(dir, "out"));
      const args = await app.make(dir);
      const options = { cwd: dir, timeout: app.timeout ?? 120_000 };
      const outcome = await bundle(["build", ...args, "-o", file()], options);
      expect(outcome).toMatchObject({ status: 0 });
      if (app.says !== undefined) expect(outcome.stdout + outcome.stderr).toMatch(app.says);
      // Whoever starts it has nothing but the file.
      chmodSync(file(), 0o755);
    });

    for (const { who, root, needs: more } of starters) {
      skipUnless(...needs, ...more)(who, async () => {
        const home = root ? temporaryDirectory() : userDirectory();
        const command: Started["command"] = (program, args, options = {}) =>
          root
            ? run(program, args, { ...options, env: { HOME: home, ...options.env } })
            : asUser(program, args, home, options);
        await app.check({
          file: file(),
          dir,
          home,
          root,
          command,
          run: (args = [], options = {}) => command(file(), args, { cwd: home, ...options }),
        });
      });
    }
  });
}
