/** --bundle-*: the first argument only, and never the app's own. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { build } from "../../builder/api/build.ts";
import { printed, runArguments } from "../support/bundle-of.ts";
import { writeFiles } from "../support/case.ts";
import { skipUnless } from "../support/needs.ts";
import { pack } from "../support/packed.ts";
import { asUser, bundle, run } from "../support/process.ts";
import { temporaryDirectory, userDirectory } from "../support/temporary.ts";

let file: string;
let home: string;
beforeAll(async () => {
  home = temporaryDirectory();
  file = await pack(
    { run: runArguments, "bin/echo": '#!/bin/sh\nfor a; do echo "<$a>"; done\n', "data/f": "hi\n" },
    { entry: "bin/echo", name: "shout", args: ["-n"], env: ["A=b c"] },
  );
});
const say = (...args: string[]) => run(file, args, { env: { HOME: home } });

test("--bundle-help shows every option", async () => {
  const out = printed(await say("--bundle-help"));
  for (const option of ["--bundle-help", "--bundle-info", "--bundle-offset", "--bundle-extract"]) {
    expect(out).toContain(option);
  }
});

test("--bundle-info shows what is packed", async () => {
  const out = printed(await say("--bundle-info"));
  expect(out).toMatch(/^name: +shout$/m);
  expect(out).toMatch(/^entry: +bin\/echo$/m);
  expect(out).toMatch(/^arg: +-n$/m);
  expect(out).toMatch(/^env: +A=b c$/m);
  expect(out).toMatch(/^image: +squashfs 4.0, zstd, blocks of 131072 bytes, 6 inodes$/m);
});

test("--bundle-offset is where the image's magic stands", async () => {
  const offset = Number(printed(await say("--bundle-offset")));
  expect(
    readFileSync(file)
      .subarray(offset, offset + 4)
      .toString(),
  ).toBe("hsqs");
});

test("options count as the first argument only", async () => {
  expect(printed(await say("x", "--bundle-help"))).toBe("<-n>\n<x>\n<--bundle-help>\n");
});

test("-- as the first argument passes everything on", async () => {
  expect(printed(await say("--", "--bundle-help"))).toBe("<-n>\n<--bundle-help>\n");
  expect(printed(await say("--", "--"))).toBe("<-n>\n<-->\n");
  expect(printed(await say("a", "--"))).toBe("<-n>\n<a>\n<-->\n");
});

test("a bundle without options of its own passes them on", async () => {
  const other = await pack({ run: '#!/bin/sh\necho "$@"\n' }, { runtimeOptions: false });
  const out = printed(await run(other, ["--bundle-help", "--"], { env: { HOME: home } }));
  expect(out).toBe("--bundle-help --\n");
  const dashes = printed(await run(other, ["--", "x"], { env: { HOME: home } }));
  expect(dashes).toBe("-- x\n");
});

test.each([
  ["an unknown option", ["--bundle-nonsense"]],
  ["an argument too many", ["--bundle-info", "x"]],
  ["a directory too many", ["--bundle-extract", "a", "b"]],
])("%s is refused and nothing is run", async (_, args) => {
  const { status, stdout, stderr } = await say(...args);
  expect({ status, stdout }).toEqual({ status: 125, stdout: "" });
  expect(stderr).toContain("[E_OPTION_UNKNOWN]");
});

test.each([
  ["--bundle-infoo", "--bundle-info"],
  ["--bundle-exract", "--bundle-extract"],
  ["--bundle-mont=x", "--bundle-mount"],
  ["--bundle-froget", "--bundle-forget"],
  ["--bundle-hlep", "--bundle-help"],
])("%s is answered with the option that is meant", async (typed, meant) => {
  const { status, stderr } = await say(typed);
  expect(status).toBe(125);
  const words = `${typed}: there is no such option of a bundle; did you mean ${meant}?`;
  expect(stderr).toBe(
    `fuselage: [E_OPTION_UNKNOWN] ${words}\n  --bundle-help lists the options; \`--\` first passes everything to the app.\n`,
  );
});

test.each(["--bundle-", "--bundle-x", "--bundle-nonsense", `--bundle-${"info".repeat(40)}`])(
  "%s is like none of them",
  async (typed) => {
    const { status, stderr } = await say(typed);
    expect(status).toBe(125);
    expect(stderr).toContain("[E_OPTION_UNKNOWN]");
    expect(stderr).not.toContain("did you mean");
  },
);

test("a closed standard output is a failure, not a silent success", async () => {
  const { status } = await run("sh", ["-c", '"$0" --bundle-info >/dev/full', file]);
  expect(status).toBe(125);
});

test("FUSELAGE_DEBUG is 0 or 1", async () => {
  const debug = (value: string, args: string[] = ["x"]) =>
    run(file, args, { env: { HOME: home, FUSELAGE_DEBUG: value } });
  expect((await debug("1")).stderr).toMatch(/^fuselage: mounted by /);
  for (const value of ["0", ""]) {
    expect(await debug(value)).toMatchObject({ stdout: "<-n>\n<x>\n", stderr: "" });
  }
  for (const value of ["2", "yes", "1 ", "-1"]) {
    const { status, stdout, stderr } = await debug(value);
    expect([status, stdout]).toEqual([125, ""]);
    const words = `[E_VARIABLE] FUSELAGE_DEBUG=${value}: expected a number from 0 to 1`;
    expect(stderr).toContain(words);
    const builder = await bundle(["inspect", file], { env: { FUSELAGE_DEBUG: value } });
    expect([builder.status, builder.stdout]).toEqual([2, ""]);
    expect(builder.stderr).toMatch(/^bundle: \[E_VARIABLE\] FUSELAGE_DEBUG=.*: expected 0 or 1$/m);
  }
});

describe("--bundle-extract", () => {
  test("writes squashfs-root by default", async () => {
    const cwd = temporaryDirectory();
    expect(printed(await run(file, ["--bundle-extract"], { cwd }))).toBe("squashfs-root\n");
    expect(readdirSync(cwd)).toEqual(["squashfs-root"]);
    expect(readFileSync(path.join(cwd, "squashfs-root/data/f"), "utf8")).toBe("hi\n");
  });

  test("takes an empty directory, and refuses one that holds something", async () => {
    const cwd = temporaryDirectory();
    mkdirSync(path.join(cwd, "out"));
    printed(await run(file, ["--bundle-extract", "out/"], { cwd }));
    const { status, stderr } = await run(file, ["--bundle-extract", "out"], { cwd });
    expect(status).toBe(125);
    expect(stderr).toMatch(/\[E_EXTRACT_EXISTS\] out: .*found 3 entries/);
    expect(readdirSync(cwd)).toEqual(["out"]);
  });

  test("does not replace a file", async () => {
    const target = path.join(temporaryDirectory(), "f");
    writeFileSync(target, "mine");
    const { stderr } = await say("--bundle-extract", target);
    expect(stderr).toContain("[E_EXTRACT_EXISTS]");
    expect(readFileSync(target, "utf8")).toBe("mine");
  });

  test("says which directory is missing or closed", async () => {
    const { status, stderr } = await say("--bundle-extract", "/nonexistent/dir/out");
    expect({ status, stderr }).toEqual({
      status: 125,
      stderr: expect.stringMatching(/\[E_EXTRACT_FAILED\] \/nonexistent\/dir\/out.*No such file/),
    });
  });

  skipUnless("root")("as a user, into a directory that is not the user's", async () => {
    const closed = temporaryDirectory();
    const outcome = await asUser(file, ["--bundle-extract", path.join(closed, "out")], home);
    expect(outcome.status).toBe(125);
    // The folder that was named, and not one of a name of ours that it is made by.
    expect(outcome.stderr).toMatch(/^fuselage: \[E_EXTRACT_FAILED\] [^.]*out: Permission denied$/m);
  });

  skipUnless("root")("leaves nothing on a full disk", async () => {
    const big = await pack({ run: runArguments, big: Buffer.alloc(3 << 20, "0123456789abcdef") });
    const dir = temporaryDirectory();
    const script =
      'mount -t tmpfs -o size=1m none "$1" && "$0" --bundle-extract "$1/out"; s=$?; ls -A "$1"; exit $s';
    const { status, stdout, stderr } = await run("unshare", ["-m", "sh", "-c", script, big, dir]);
    expect({ status, stdout }).toEqual({ status: 125, stdout: "" });
    expect(stderr).toMatch(/\[E_EXTRACT_FAILED\] .*out\/big: No space left on device/);
  });

  test("leaves nothing when it is interrupted", async () => {
    const files = Object.fromEntries(
      Array.from({ length: 3000 }, (_, i) => [`d${i % 50}/f${i}`, `${i}`]),
    );
    const many = await pack({ run: runArguments, ...files });
    const cwd = userDirectory();
    chmodSync(cwd, 0o777);
    let interrupted = 0;
    // At several moments, and again where this process came too late for all of them.
    for (let i = 0; i < 6 || interrupted === 0; i++) {
      const child = spawn(many, ["--bundle-extract"], { cwd, stdio: "ignore" });
      const ended = once(child, "exit") as Promise<[number | null, string | null]>;
      setTimeout(() => child.kill("SIGINT"), 1 + (i % 6) * 4);
      const [status, signal] = await ended;
      if (status === 0) {
        await run("rm", ["-r", path.join(cwd, "squashfs-root")]);
        continue;
      }
      interrupted++;
      expect(signal).toBe("SIGINT");
      expect(readdirSync(cwd)).toEqual([]);
    }
  });

  test("keeps modes that forbid writing", async () => {
    const dir = temporaryDirectory();
    const input = path.join(dir, "app");
    writeFiles(dir, { "app/run": runArguments, "app/closed/file": "x" });
    chmodSync(path.join(input, "closed/file"), 0o400);
    chmodSync(path.join(input, "closed"), 0o555);
    const output = path.join(dir, "closed.run");
    await build({ input, output });
    const cwd = userDirectory();
    printed(await asUser(output, ["--bundle-extract", "out"], cwd, { cwd }));
    const modeOf = (name: string) => statSync(path.join(cwd, "out", name)).mode & 0o777;
    expect(modeOf("closed")).toBe(0o555);
    expect(modeOf("closed/file")).toBe(0o400);
  });
});
