/** Commands under a low limit of descriptors: they work, or say in words what to do. Nothing else. */
import { existsSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { bundleFailure } from "../../../builder/app/node/analyse.ts";
import { ownImage } from "../../support/archive.ts";
import { writeFiles } from "../../support/case.ts";
import { aliasCommand, bundle, bundleCommand, type Outcome, run } from "../../support/process.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

let dir: string;

/** More modules than a process under these limits could have open. */
const MODULES = 300;

beforeAll(async () => {
  dir = temporaryDirectory();
  const names = Array.from({ length: MODULES }, (_, i) => `m${i}`);
  writeFiles(dir, {
    "plain/bin/plain": "#!/bin/sh\necho plain\n",
    ...Object.fromEntries(names.map((name) => [`plain/data/${name}`, name])),
    "node/package.json": '{ "name": "node", "main": "main.js" }',
    "node/main.js": names.map((name) => `require("./${name}.js");\n`).join(""),
    ...Object.fromEntries(names.map((name) => [`node/${name}.js`, `exports.${name} = 1;\n`])),
  });
  await bundle(["build", "plain", "-o", "made"], { cwd: dir });
  await bundle(["pack", "plain", "-o", "made.sfs"], { cwd: dir });
});

const appended = ["--archive", "made.sfs", "--output", "out", "--name", "out", "--"];

const commands: [string, string[], string[]][] = [
  ["build of a folder", [bundleCommand], ["build", "plain", "-o", "out"]],
  ["build of a Node app", [bundleCommand], ["build", "node", "--node=none", "-o", "out"]],
  [
    "build of files as they are",
    [bundleCommand],
    ["build", "node", "--no-bundle", "--node=none", "-o", "out"],
  ],
  ["pack", [bundleCommand], ["pack", "plain", "-o", "out.zip"]],
  ["check", [bundleCommand], ["check", "made", "--target-has=/bin/sh"]],
  ["inspect", [bundleCommand], ["inspect", "made"]],
  ["dump", [bundleCommand], ["dump", "made"]],
  ["extract", [bundleCommand], ["extract", "made", "-d", "out"]],
  ["export", [bundleCommand], ["export", "made", "--artifact", "--to", "oci:out"]],
  ["fuselage-bundle", [aliasCommand], [...appended, ...ownImage]],
];

const under = (limit: number, program: string[], args: string[], cwd: string): Promise<Outcome> =>
  run("prlimit", [`--nofile=${limit}`, process.execPath, ...program, ...args], { cwd });

describe.each(commands)("%s", (_, program, args) => {
  const here = () => {
    const cwd = temporaryDirectory();
    return {
      cwd,
      args: args.map((arg) => arg.replace(/^(plain|node|made(\.sfs)?)$/, `${dir}/$1`)),
    };
  };

  test.each([25, 32, 40])("is refused with a limit of %i", async (limit) => {
    const { cwd, args: input } = here();
    const { status, stderr } = await under(limit, program, input, cwd);
    expect(stderr).toMatch(
      /^(fuselage-)?bundle: \[E_LIMIT\] .*ulimit -n.*\n {2}.*`ulimit -n 1024`.*\n$/,
    );
    expect(stderr).toContain(`found ${limit}, and `);
    expect(status).toBe(1);
    expect(existsSync(path.join(cwd, "out"))).toBe(false);
  });

  test("works with the limit that the refusal wants", async () => {
    const { cwd, args: input } = here();
    const { stderr } = await under(32, program, input, cwd);
    const wanted = Number(/expected a limit of (\d+) or more/.exec(stderr)?.[1]);
    expect(await under(wanted, program, input, cwd)).toMatchObject({ status: 0 });
  });

  test.each([64, 256])("works with a limit of %i", async (limit) => {
    const { cwd, args: input } = here();
    expect(await under(limit, program, input, cwd)).toMatchObject({ status: 0 });
  });
});

test("descriptors that the caller left open count", async () => {
  writeFileSync(path.join(dir, "any"), "");
  const leave = Array.from({ length: 40 }, (_, i) => `exec ${i + 100}<any; `).join("");
  const script = `${leave} exec prlimit --nofile=200:200 "$@"`;
  const command = [process.execPath, bundleCommand, "inspect", "made"];
  const many = await run("bash", ["-c", script, "bash", ...command], { cwd: dir });
  expect(many).toMatchObject({ status: 0 });
  const few = script.replace("200:200", "64:64");
  const { stderr } = await run("bash", ["-c", few, "bash", ...command], { cwd: dir });
  expect(stderr).toMatch(
    /\[E_LIMIT\] .* expected a limit of \d+ or more, found 64, and [5-9]\d are/,
  );
});

test("it says so as JSON too", async () => {
  const { stdout } = await under(30, [bundleCommand], ["inspect", "made", "--json"], dir);
  expect(JSON.parse(stdout)).toMatchObject({ error: { code: "E_LIMIT" } });
});

test("esbuild's own words for it are no mistake of the app", () => {
  const text = 'Cannot read directory "x": open x: too many open files';
  const message = { id: "", pluginName: "", text, location: null, notes: [], detail: undefined };
  expect(bundleFailure("main.js", [message])).toMatchObject({ code: "E_LIMIT" });
});
