/** What the loader stub reads of a host's libc and of dynamic linkers, damaged in every way. */
import { execFileSync } from "node:child_process";
import path from "node:path";
import { beforeAll, describe, expect } from "vitest";
import { missing, skipUnless } from "../support/needs.ts";
import { hostLibrary } from "../support/packed-libc.ts";
import { root, run } from "../support/process.ts";
import { trials } from "../support/random.ts";
import { temporaryDirectory } from "../support/temporary.ts";

let program = "";

beforeAll(() => {
  if (missing("gcc") !== undefined) return;
  program = path.join(temporaryDirectory(), "own-loader");
  const sources = ["stubs/host_libc.c", "stubs/map_loader.c"].map((name) =>
    path.join(root, "runtime", name),
  );
  const flags = ["-std=c17", "-D_GNU_SOURCE", "-O1", "-g", "-Wall", "-Wextra", "-Werror"];
  const sanitize = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
  const include = [`-I${path.join(root, "runtime")}`, `-I${path.join(root, "runtime/generated")}`];
  const test = path.join(root, "test/c/own_loader.c");
  execFileSync("cc", [...flags, ...sanitize, ...include, test, ...sources, "-o", program]);
});

/** Numbers of what the program prints. */
async function answers(name: string, ...args: string[]) {
  const { status, stdout, stderr } = await run(program, [
    temporaryDirectory(),
    hostLibrary(name),
    ...args,
  ]);
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  return [...stdout.matchAll(/\d+/g)].map(Number);
}

describe("a damaged file", () => {
  for (const name of ["libc.so.6", "ld-linux-x86-64.so.2"]) {
    skipUnless("gcc")(`is read without harm: ${name} with other bytes in its headers`, async () => {
      const changes = [...trials(400)].flatMap(([, random]) => [
        `${random.below(1200)}`,
        `${1 + random.below(255)}`,
      ]);
      const [asked, defined = 0, mapped = 0] = await answers(name, ...changes);
      expect(asked).toBe(401);
      // Most bytes do not matter, some do.
      expect(mapped).toBeGreaterThan(0);
      expect(mapped).toBeLessThan(401);
      if (name === "libc.so.6") expect(defined).toBeGreaterThan(0);
      else expect(defined).toBe(0);
    });

    skipUnless("gcc")(`is read without harm: ${name}, cut`, async () => {
      const [asked, defined, mapped] = await answers(name, "cut");
      // Whole, it is what it is; cut, it is neither.
      expect([asked, defined, mapped]).toEqual([65, name === "libc.so.6" ? 1 : 0, 1]);
    });
  }
});
