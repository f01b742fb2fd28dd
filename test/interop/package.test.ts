/** The package as npm packs it: unpacked elsewhere, it builds, and what it exports has types. */
import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, expect, test } from "vitest";
import { printed } from "../support/bundle-of.ts";
import { writeFiles } from "../support/case.ts";
import { root, run } from "../support/process.ts";
import { temporaryDirectory } from "../support/temporary.ts";

let work = "";
let installed = "";

beforeAll(async () => {
  work = temporaryDirectory();
  const into = ["pack", "--ignore-scripts", "--pack-destination", work];
  const file = printed(await run("npm", into, { cwd: root })).trim();
  installed = path.join(work, "node_modules/fuselage-bundle");
  mkdirSync(installed, { recursive: true });
  printed(
    await run("tar", ["-xzf", path.join(work, file), "--strip-components=1", "-C", installed]),
  );
  // What it depends on is what the checkout has.
  const { dependencies } = JSON.parse(readFileSync(path.join(installed, "package.json"), "utf8"));
  for (const name of [...Object.keys(dependencies), "@types/node"]) {
    const link = path.join(work, "node_modules", name);
    mkdirSync(path.dirname(link), { recursive: true });
    symlinkSync(path.join(root, "node_modules", name), link);
  }
  writeFiles(work, { "app/run": "#!/bin/sh\necho packed\n" });
});

test("its commands build an app that runs", async () => {
  const { bin } = JSON.parse(readFileSync(path.join(installed, "package.json"), "utf8"));
  printed(
    await run(path.join(installed, bin.bundle), ["build", "app", "-o", "a.run"], { cwd: work }),
  );
  const env = { HOME: temporaryDirectory() };
  expect(printed(await run(path.join(work, "a.run"), [], { env }))).toBe("packed\n");
  const help = printed(await run(path.join(installed, bin["fuselage-bundle"]), ["--help"]));
  expect(help).toMatch(/^Usage: fuselage-bundle /);
});

test("its exports have the types that a program is compiled with", async () => {
  const typed = readdirSync(path.join(installed, "dist")).includes("index.d.ts");
  if (!typed) {
    const tsc = path.join(root, "node_modules/.bin/tsc");
    printed(
      await run(tsc, [
        "-p",
        path.join(root, "tsconfig.build.json"),
        "--outDir",
        path.join(installed, "dist"),
      ]),
    );
  }
  const names = ["build", "pack", "inspect", "dump", "verify", "mount", "umount", "doctor"];
  writeFileSync(
    path.join(work, "use.mts"),
    `import { ${names.join(", ")}, BundleError, type BuildOptions, type Manifest } from "fuselage-bundle";
const options: BuildOptions = { input: "app", output: "b.run", envPrepend: ["PATH=bin"] };
const size: number = (await build(options)).size;
const codes: string[] = [new Error()].map((e) => (e instanceof BundleError ? e.code : ""));
export const name = (one: Manifest): string => one.name;
// @ts-expect-error: there is no such option
const wrong: BuildOptions = { input: "app", output: "b.run", nonsense: 1 };
console.log(size > 0, codes, wrong, ${names.slice(1).join(", ")});
`,
  );
  const flags = "--noEmit --strict --module nodenext --target es2023 --types node".split(" ");
  const tsc = path.join(root, "node_modules/.bin/tsc");
  const outcome = await run(tsc, [...flags, "use.mts"], { cwd: work });
  expect(outcome).toMatchObject({ status: 0, stdout: "" });
});

test("without its addon it says so, whatever it was asked", async () => {
  const addon = `dist/native/linux-${process.arch}.node`;
  const lines = [
    ["build", "app", "-o", "b.run"],
    ["pack", "app", "-o", "b.sfs"],
    ["dump", "app"],
    ["inspect", "--list", path.join(work, "a.run")],
  ];
  const faults: [string, () => void, RegExp][] = [
    ["missing", () => rmSync(path.join(installed, addon)), /: it does not exist: /],
    ["empty", () => writeFileSync(path.join(installed, addon), ""), /: file too short: /],
    [
      "of no kind",
      () => writeFileSync(path.join(installed, addon), "text\n".repeat(99)),
      /: invalid ELF header: /,
    ],
  ];
  for (const [fault, make, why] of faults) {
    make();
    for (const line of lines) {
      const { status, stderr } = await run(path.join(installed, "dist/cli/main.js"), line, {
        cwd: work,
      });
      expect([fault, status]).toEqual([fault, 1]);
      expect(stderr).toMatch(
        /^bundle: \[E_ADDON\] .*linux-\w+\.node: the native addon cannot be loaded/m,
      );
      expect(stderr).toMatch(why);
      expect(stderr).not.toMatch(/Require stack|\\x0a|E_OUTPUT/);
    }
    expect(readdirSync(work)).not.toContain("b.run");
  }
});
