import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { alias, commands, globalOptions, runnerOptions } from "../../../builder/generated/spec.ts";
import { completionsPath, type Shell } from "../../../builder/host/paths.ts";
import { skipUnless } from "../../support/needs.ts";
import { run } from "../../support/process.ts";

const text = (shell: Shell) => readFileSync(completionsPath(shell), "utf8");
const everyOption = [...commands.flatMap(({ options }) => [...options]), ...runnerOptions];

/** What bash would offer for the last of the words. */
async function offered(...words: string[]): Promise<string[]> {
  const script = `
    source "$0"
    COMP_WORDS=("$@")
    COMP_CWORD=$(($# - 1))
    set -- $(complete -p "$1")
    while [ "$1" != -F ]; do shift; done
    "$2"
    printf '%s\\n' "\${COMPREPLY[@]}"`;
  const args = ["--norc", "-c", script, completionsPath("bash"), ...words];
  const { stdout, stderr } = await run("bash", args, {
    cwd: path.dirname(completionsPath("bash")),
  });
  expect(stderr).toBe("");
  return stdout.split("\n").filter(Boolean);
}

describe("bash", () => {
  test.each<[string[], string[]]>([
    [["bundle", "as"], ["assemble"]],
    [["bundle", "--v"], ["--version"]],
    [
      ["bundle", "v"],
      ["verify", "vm", "version"],
    ],
    [["bundle", "help", "as"], ["assemble"]],
    [["bundle", "version", ""], []],
    [
      ["bundle", "build", "app", "--keep"],
      ["--keep-mtimes", "--keep-owners", "--keep-hot", "--keep-foreign"],
    ],
    [
      ["bundle", "pack", "--format", ""],
      ["sfs", "zip", "b64"],
    ],
    [["bundle", "pack", "--format", "=", "z"], ["zip"]],
    [["bundle", "completions", "f"], ["fish"]],
    [["bundle", "runtime", "-o", "_bun"], ["_bundle"]],
    [["bundle", "assemble", "--", "--st"], []],
    [["fuselage-bundle", "--arch", "aa"], ["aarch64"]],
    [["fuselage-bundle", "--ou"], ["--output"]],
    [
      ["fuselage", "--dyn"],
      ["--dynamic", "--dynamic-empty"],
    ],
    [["fuselage", "--mount-type", "l"], ["loop"]],
    [["fuselage", "--static", "bundle.b"], ["bundle.bash"]],
  ])("%j", async (words, wanted) => {
    expect(await offered(...words)).toEqual(wanted);
  });

  test("offers every option of every command", async () => {
    for (const { name, options } of commands) {
      const shown = await offered("bundle", name, "--");
      expect(shown).toEqual(expect.arrayContaining(options.map((option) => `--${option.name}`)));
      expect(shown).toContain("--help");
    }
    const runner = runnerOptions.map(({ name }) => `--${name}`);
    expect(await offered("fuselage", "--")).toEqual(expect.arrayContaining(runner));
    const assembled = commands.find(({ name }) => name === alias.command)?.options ?? [];
    const names = [...assembled, ...globalOptions].map(({ name }) => `--${name}`);
    expect(await offered("fuselage-bundle", "--")).toEqual(expect.arrayContaining(names));
  });

  test("is sound", async () => {
    expect(await run("bash", ["-n", completionsPath("bash")])).toMatchObject({
      status: 0,
      stderr: "",
    });
  });
});

describe("zsh", () => {
  test("has every option", () => {
    for (const { name } of everyOption) expect(text("zsh")).toContain(`--${name}`);
  });

  skipUnless("zsh")("is sound", async () => {
    expect(await run("zsh", ["-n", completionsPath("zsh")])).toMatchObject({
      status: 0,
      stderr: "",
    });
  });
});

describe("fish", () => {
  test("has every option", () => {
    for (const { name } of everyOption) expect(text("fish")).toMatch(new RegExp(`-l ${name}\\b`));
  });

  skipUnless("fish")("is sound", async () => {
    const args = ["--no-execute", completionsPath("fish")];
    expect(await run("fish", args)).toMatchObject({ status: 0, stderr: "" });
  });
});
