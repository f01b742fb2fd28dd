/** The builder as a bundle, where there is no Node: the same files come out of it. */
import { execFileSync } from "node:child_process";
import { chmodSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { expect } from "vitest";
import { writeFiles } from "../support/case.ts";
import { minimalRoot } from "../support/minimal-root.ts";
import { skipUnless } from "../support/needs.ts";
import { bundle, ordinaryUser, root, withoutNotices } from "../support/process.ts";
import { temporaryDirectory } from "../support/temporary.ts";

/** What Node takes of the machine beside its libc. */
const LIBRARIES = ["libstdc++.so.6", "libgcc_s.so.1"];

const app = {
  "app/package.json": '{ "name": "app", "type": "module", "main": "main.ts" }',
  "app/main.ts":
    'import { part } from "./part.ts";\nconst n: number = part + 1;\nconsole.log(n);\n',
  "app/part.ts": "export const part: number = 41;\n",
};

const args = [
  ...["--compression", "zstd:1"],
  ...LIBRARIES.flatMap((name) => ["--target-has", name]),
];

skipUnless(
  "root",
  "gcc",
  "fuse",
  "userns",
)("packs the same bytes on a machine without Node and without a network", async () => {
  const dir = temporaryDirectory();
  const self = path.join(dir, "bundle.run");
  const { packSelf } = await import(path.join(root, "scripts/self.mjs"));
  await packSelf(self, { level: 1 }); // A hundred megabytes, which are read once.
  writeFiles(dir, app);
  expect(await bundle(["build", "app", "-o", "here.run", ...args], { cwd: dir })).toMatchObject({
    status: 0,
  });
  const there = minimalRoot(dir);
  there.add(self, "/bundle.run");
  for (const name of Object.keys(app)) there.add(path.join(dir, name), `/${name}`);
  for (const name of LIBRARIES) {
    const found = execFileSync("g++", [`-print-file-name=${name}`], { encoding: "utf8" }).trim();
    there.add(found, path.join("/usr/lib", name));
  }
  chmodSync(path.join(dir, "root/app"), 0o755);
  for (const uid of [0, ordinaryUser().uid]) {
    const output = `/tmp/of-${uid}.run`;
    const built = await there.start("/bundle.run", uid, ["build", "/app", "-o", output, ...args]);
    expect(withoutNotices(built)).toMatchObject({ status: 0, stderr: "" });
    const same = readFileSync(path.join(dir, "root", output)).equals(
      readFileSync(path.join(dir, "here.run")),
    );
    expect(same).toBe(true);
    expect(await there.start(output, uid)).toMatchObject({ stdout: "42\n", stderr: "" });
    // The next one is another user, and what is there is not theirs.
    for (const name of [".fuselage", ".cache"]) {
      rmSync(path.join(dir, "root/home", name), { recursive: true, force: true });
    }
  }
});
