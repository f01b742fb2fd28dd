/** Exports to one place at the same time, none of which may replace anything: one of them has it, as if alone. */
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, expect, test } from "vitest";
import { build } from "../../builder/api/build.ts";
import { type EngineOptions, exportEngine } from "../../builder/api/export-engine.ts";
import { exportPortable } from "../../builder/api/export-portable.ts";
import { smallApp, writeFiles } from "../support/case.ts";
import { skipUnless } from "../support/needs.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const EXPORTS = 4;
let bundle: string;

beforeAll(async () => {
  const dir = temporaryDirectory();
  writeFiles(dir, smallApp);
  bundle = path.join(dir, "app.run");
  await build({ input: path.join(dir, "app"), output: bundle });
});

/** Does the same several times at once, with another number each time. @returns the number of the one that did it */
async function only(what: (number: number) => Promise<unknown>): Promise<number> {
  const numbers = Array.from({ length: EXPORTS }, (_, number) => number);
  const ended = await Promise.allSettled(numbers.map(what));
  const refused = ended.filter(({ status }) => status === "rejected");
  expect(refused).toMatchObject(Array(EXPORTS - 1).fill({ reason: { code: "E_ENGINE_EXISTS" } }));
  return ended.findIndex(({ status }) => status === "fulfilled");
}

const folder = (dir: string) =>
  Object.fromEntries(
    readdirSync(dir)
      .sort()
      .map((name) => [name, readFileSync(path.join(dir, name), "utf8")]),
  );

test.each<[string, Omit<EngineOptions, "input">]>([
  ["systemd", { systemd: "", program: "/opt/app.run", sockets: ["80"] }],
  ["compose", { compose: "", image: "app:1" }],
  ["quadlet", { quadlet: "", image: "app:1" }],
])("files for %s", async (name, options) => {
  const isFolder = name !== "compose";
  const to = (dir: string, number: number) =>
    exportEngine({
      ...options,
      [name]: isFolder ? dir : path.join(dir, "file"),
      input: bundle,
      args: [`${number}`],
    });
  for (let round = 0; round < 10; round++) {
    const dir = temporaryDirectory();
    const winner = await only((number) => to(dir, number));
    const alone = temporaryDirectory();
    await to(alone, winner);
    expect(folder(dir)).toEqual(folder(alone));
  }
});

test("units of which only some are the same", async () => {
  for (let round = 0; round < 10; round++) {
    const dir = temporaryDirectory();
    const to = (where: string, number: number) =>
      exportEngine({
        ...{ input: bundle, systemd: where, program: "/opt/app.run", args: [`${number}`] },
        ...(number % 2 && { sockets: ["80"] }),
      });
    const winner = await only((number) => to(dir, number));
    const alone = temporaryDirectory();
    await to(alone, winner);
    expect(folder(dir)).toEqual(folder(alone));
  }
});

skipUnless("gcc")("the image of a portable service", async () => {
  const dir = temporaryDirectory();
  mkdirSync(path.join(dir, "app"));
  writeFileSync(path.join(dir, "app.c"), "int main(void) { return 0; }\n");
  execFileSync("gcc", ["-static", "-o", `${dir}/app/app`, `${dir}/app.c`]);
  await build({ input: path.join(dir, "app"), output: path.join(dir, "static.run") });
  const to = (portable: string, number: number) =>
    exportPortable({ input: path.join(dir, "static.run"), portable, args: [`${number}`] });
  const winner = await only((number) => to(path.join(dir, "app.raw"), number));
  mkdirSync(path.join(dir, "alone"));
  await to(path.join(dir, "alone/app.raw"), winner);
  const [made = "", alone = ""] = ["app.raw", "alone/app.raw"].map((name) => path.join(dir, name));
  expect(readFileSync(made).equals(readFileSync(alone))).toBe(true);
});
