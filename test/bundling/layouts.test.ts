/**
 * Repositories of several packages as package managers install them: a bundle of the app has all that the
 * app uses, at the version that it uses, and nothing else, wherever it is built from.
 */
import { mkdirSync, renameSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { writeFiles } from "../support/case.ts";
import { bundle, run } from "../support/process.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { layouts, ofUnused, prints, unneeded } from "./layouts.ts";

interface Place {
  /** Where `bundle` is called. */
  cwd: string;
  /** What it is given, and where the app's sources are below that. */
  input: string;
  sources: string;
}

const places: Record<string, Place> = {
  "in the app's folder": { cwd: "packages/app", input: ".", sources: "src" },
  "in the root, with the app's folder": { cwd: ".", input: "packages/app", sources: "src" },
  "in the root, with the app as entry": { cwd: ".", input: ".", sources: "packages/app/src" },
};

const { plug, beside, ...bundled } = prints;
const programs = {
  "bundled.mjs": { prints: bundled, how: / bundled, run by/ },
  "main.js": { prints: { ...bundled, plug, beside }, how: / as it is \(.*\), run by/ },
};

describe.each(Object.keys(layouts))("%s", (name) => {
  describe.each(Object.entries(places))("%s", (_, { cwd, input, sources }) => {
    test.each(Object.entries(programs))("%s", async (program, expected) => {
      const dir = temporaryDirectory();
      const repository = path.join(dir, "repository");
      mkdirSync(repository);
      writeFiles(repository, layouts[name]?.() ?? {});
      // The layout is right, or nothing below says anything.
      const plain = await run(process.execPath, [`packages/app/src/${program}`], {
        cwd: repository,
      });
      expect(plain).toMatchObject({ status: 0, stderr: "" });
      expect(JSON.parse(plain.stdout)).toEqual(expected.prints);

      const file = path.join(dir, "out.run");
      const args = ["build", input, "--entry", `${sources}/${program}`, "-o", file, "--node=none"];
      const built = await bundle(args, { cwd: path.join(repository, cwd) });
      expect(built).toMatchObject({ status: 0, stderr: "" });
      expect(built.stdout).toMatch(expected.how);
      renameSync(repository, path.join(dir, "gone"));

      const { status, stdout, stderr } = await run(file, [], { env: { FUSELAGE_LINGER: "0" } });
      expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
      expect(JSON.parse(stdout)).toEqual(expected.prints);
      const { stdout: listed } = await bundle(["dump", file]);
      const has = (one: string) => listed.includes(`node_modules/${one}`);
      expect(has("stays")).toBe(true);
      expect(unneeded.filter(has)).toEqual([]);
      // What stays as it is stays whole: the root has the other workspaces too.
      expect(has(ofUnused)).toBe(program === "main.js" && input === "." && cwd === ".");
    });
  });
});
