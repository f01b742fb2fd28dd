import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { alias, commands, globalOptions, runnerOptions } from "../../../builder/generated/spec.ts";
import { skipUnless } from "../../support/needs.ts";
import { root, run } from "../../support/process.ts";

const file = (name: string) => path.join(root, "dist/man", `${name}.1`);
const read = (name: string) => readFileSync(file(name), "utf8");

const assembled = commands.find(({ name }) => name === alias.command)?.options ?? [];
const pages: Record<string, readonly { name: string }[]> = {
  bundle: [...globalOptions, ...commands.flatMap(({ options }) => [...options])],
  fuselage: runnerOptions,
  "fuselage-bundle": [...assembled, ...globalOptions],
};

describe.each(Object.entries(pages))("%s(1)", (name, options) => {
  test("has every option", () => {
    const page = read(name);
    for (const option of options) {
      expect(page).toContain(`\\fB\\-\\-${option.name.replaceAll("-", "\\-")}\\fR`);
    }
  });

  test("says what it is, in the way that apropos reads", () => {
    const escaped = name.replaceAll("-", "\\-");
    expect(read(name)).toContain(`.SH NAME\n${escaped} \\- `);
  });

  test("says once of an option that it may be given again", () => {
    const again = /\.\.\. ?\.\.\./;
    expect(read(name)).not.toMatch(again);
    expect(readFileSync(path.join(root, "docs/cli.md"), "utf8")).not.toMatch(again);
  });

  skipUnless("groff")("is clean to groff", async () => {
    const args = ["-ww", "-z", "-man", "-Tutf8", file(name)];
    expect(await run("groff", args)).toMatchObject({ status: 0, stderr: "" });
  });

  skipUnless("mandoc")("is clean to mandoc", async () => {
    const args = ["-Tlint", "-Wwarning", file(name)];
    expect(await run("mandoc", args)).toMatchObject({ status: 0, stdout: "", stderr: "" });
  });
});

test("bundle(1) has every command", () => {
  for (const { name } of commands) expect(read("bundle")).toContain(`.SS bundle ${name}\n`);
});
