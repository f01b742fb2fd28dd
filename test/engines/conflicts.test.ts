/** Options that go with others alone: none of them is passed over without a word. */
import { readdirSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { bundle } from "../support/process.ts";
import { temporaryDirectory } from "../support/temporary.ts";

async function refused(line: string, words: string) {
  const cwd = temporaryDirectory();
  const { status, stdout, stderr } = await bundle(line.split(" "), { cwd });
  expect([status, stdout, readdirSync(cwd)], line).toEqual([2, "", []]);
  expect(stderr, line).toContain(`bundle: [E_OPTION_CONFLICT] ${words}`);
}

describe("bundle export", () => {
  test("makes one thing at a time", async () => {
    for (const [one, other] of [
      ["--systemd a", "--compose b"],
      ["--quadlet a", "--portable b.raw"],
      ["--kubernetes a", "--microvm b"],
      ["--nomad a", "--runtime-bundle b"],
      ["--portable a.raw", "--microvm b"],
      ["--microvm a", "--runtime-bundle b"],
    ]) {
      const [first, second] = [one, other].map((option) => option?.split(" ")[0]);
      await refused(`export app.run ${one} ${other}`, `${first} and ${second}: one at a time`);
      await refused(`export app.run ${other} ${one}`, `${first} and ${second}: one at a time`);
    }
  });

  test("says how a runtime starts with --runtime-bundle alone", async () => {
    for (const target of ["--systemd a", "--portable a.raw", "--microvm a", "--to oci:a"]) {
      for (const option of ["--hook", "--rootless"]) {
        await refused(`export app.run ${target} ${option}`, `${option} says how a runtime starts`);
      }
    }
  });
});

describe("bundle service", () => {
  test("takes the options of an installation for that alone", async () => {
    for (const action of ["remove", "status"]) {
      for (const option of [
        "--now",
        "--arg a",
        "--env A=1",
        "--socket 80",
        "--cpus 1",
        "--notify",
      ]) {
        const name = option.split(" ")[0];
        await refused(`service ${action} app ${option}`, `${name} is for install`);
      }
    }
  });
});
