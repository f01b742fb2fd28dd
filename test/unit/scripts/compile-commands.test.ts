import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { writeCompileCommands } from "../../../scripts/build/compile-commands.mjs";
import { skipUnless } from "../../support/needs.ts";
import { root, run } from "../../support/process.ts";

await writeCompileCommands();
const entries = JSON.parse(readFileSync(path.join(root, "compile_commands.json"), "utf8")) as {
  directory: string;
  file: string;
  arguments: string[];
}[];

test("every file of C and C++ of ours is there, once", () => {
  const wanted = [
    ["runtime", ".c"],
    ["native", ".cc"],
  ].flatMap(([dir = "", end = ""]) =>
    readdirSync(path.join(root, dir), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(end))
      .map((name) => path.join(root, dir, name)),
  );
  expect(wanted.length).toBeGreaterThan(80);
  expect(entries.map(({ file }) => file).sort()).toEqual(wanted.sort());
});

for (const file of [
  "runtime/main.c",
  "runtime/fuse/session.c",
  "runtime/kernel/namespace.c",
  "runtime/squashfs/codec.c",
  "native/codec.cc",
  "native/write_binding.cc",
]) {
  skipUnless("clang19")(`an ordinary clang understands ${file}`, async () => {
    const entry = entries.find((one) => one.file === path.join(root, file));
    const [compiler, ...args] = entry?.arguments ?? [];
    const driver = compiler === "clang++" ? ["--driver-mode=g++"] : [];
    const outcome = await run("clang-19", [...driver, ...args, "-Werror", "-fsyntax-only"]);
    expect(outcome).toMatchObject({ status: 0, stderr: "" });
  });
}
