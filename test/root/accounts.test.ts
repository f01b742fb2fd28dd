/** /etc/passwd and /etc/group of an image that means no good: who the app is then, and what it may not become. */
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { describe, expect } from "vitest";
import { skipUnless } from "../support/needs.ts";
import {
  homeFor,
  rootBundle,
  shell,
  starters,
  startNeeds,
  startRoot,
} from "../support/root-image.ts";

const passwd = "root:x:0:0:root:/root:/bin/sh\nweb:x:101:102::/srv:/bin/sh\n";

describe.each(starters)("accounts of a hostile image, started $title,", (starter) => {
  const test = skipUnless(...startNeeds(starter));
  const home = () => homeFor(starter);

  test("that put the app into groups of the machine give an ordinary user none of them", async () => {
    const group = ["root:x:0:web", "disk:x:6:web", "shadow:x:42:web,web,root", "own:x:102:"];
    const file = await rootBundle({ "etc/passwd": passwd, "etc/group": `${group.join("\n")}\n` });
    const groups = await shell(
      starter,
      file,
      ["-u", "web"],
      "grep ^Groups /proc/self/status",
      home(),
    );
    // As root the app is really that user, in the groups that the image gives it.
    if (starter.root) expect(groups.split(/\s+/).slice(1).sort()).toEqual(["0", "42", "6"]);
    else expect(groups.split(/\s+/).slice(1)).not.toContain("42");
  });

  // Who is root reads everything anyway.
  const ofUser = starter.root ? () => {} : skipUnless("root", ...startNeeds(starter));
  ofUser("that name groups of the machine open no file of theirs to an ordinary user", async () => {
    const group = ["root:x:0:web", "disk:x:6:web", "shadow:x:42:web,web,root", "own:x:102:"];
    const file = await rootBundle({ "etc/passwd": passwd, "etc/group": `${group.join("\n")}\n` });
    const dir = home();
    const secret = path.join(dir, "secret");
    writeFileSync(secret, "for the group\n");
    chownSync(secret, 0, 42);
    chmodSync(secret, 0o640);
    for (const options of [
      ["-u", "web"],
      ["-u", "web:shadow"],
      ["-u", "101:42"],
      ["-u", "root:disk"],
    ]) {
      const read = await startRoot(starter, file, options, ["cat", secret], dir);
      expect(read.status, options.join(" ")).not.toBe(0);
      expect(read.stdout).toBe("");
    }
  });

  test("that fill megabytes are read to their end", async () => {
    const others = Array.from({ length: 60_000 }, (_, i) => `u${i}:x:${i + 1000}:100::/:/bin/sh\n`);
    const last = "late:x:99:98::/srv:/bin/sh\n";
    const file = await rootBundle({ "etc/passwd": `${passwd}${others.join("")}${last}` });
    expect(await shell(starter, file, ["-u", "late"], "id -u; id -g", home())).toBe("99\n98");
  });

  test("that no machine has are refused by their size", async () => {
    const file = await rootBundle({}, {}, (dir) => truncateSync(`${dir}/etc/passwd`, 80 << 20));
    const refused = await startRoot(starter, file, ["-u", "web"], ["id", "-u"], home());
    expect(refused.status).toBe(125);
    const words = "/etc/passwd of the image: expected at most 64 MiB, found 83886080 bytes";
    expect(refused.stderr).toContain(`[E_ROOT_USER] ${words}`);
  });

  // ACCOUNT_GROUPS_MAX of runtime/libc/accounts.h.
  for (const [lines, counted] of [[50_000, "64"]] as const) {
    test(`that are in ${lines} groups are in no more than 64`, async () => {
      const group = Array.from({ length: lines }, (_, i) => `g${i}:x:${i + 1000}:web,other\n`);
      const file = await rootBundle({ "etc/passwd": passwd, "etc/group": group.join("") });
      const count = "set -- $(grep ^Groups /proc/self/status); shift; echo $#";
      const groups = await shell(starter, file, ["-u", "web"], count, home());
      // A user keeps those that the machine gives.
      if (starter.root) expect(groups).toBe(counted);
      else expect(Number(groups)).toBeLessThan(64);
    });
  }

  for (const [what, given] of [
    ["a number that is none", "web:x:-1:0::/:\n"],
    ["a number with a sign, blanks or a base", "web:x:+5:0::/:\nweb:x: 5:0::/:\nweb:x:0x5:0::/:\n"],
    ["the number that stands for no user", "web:x:4294967295:0::/:\n"],
    ["a number that goes round to root", "web:x:4294967296:0::/:\n"],
    ["no lines that are any", "web\n:::::\n::::::::::\n\0\0\n"],
    ["a NUL in front", "\0web:x:7:7::/:\n"],
    ["one long line", `${"x".repeat(300_000)}:x:0:0::/:\n`],
  ] as const)
    test(`that have ${what} name no user`, async () => {
      const file = await rootBundle({ "etc/passwd": given });
      const refused = await startRoot(starter, file, ["-u", "web"], ["id", "-u"], home());
      expect(refused.status).not.toBe(0);
      expect(refused.stderr).toContain("E_ROOT_USER");
      expect(refused.stdout).toBe("");
    });

  for (const [what, given] of [
    ["a link to the machine's", (at: string) => symlinkSync("/../../../../../etc/passwd", at)],
    ["a link through /proc", (at: string) => symlinkSync("/proc/1/cwd/etc/passwd", at)],
    ["a fifo", (at: string) => void execFileSync("mkfifo", [at])],
    ["nothing", () => {}],
  ] as const)
    test(`that are ${what} are neither followed nor waited for`, async () => {
      const file = await rootBundle({}, {}, (dir) => {
        const at = path.join(dir, "etc/passwd");
        rmSync(at);
        given(at);
      });
      const [, first = ""] =
        /^([a-z][^:]*):x:[1-9]/m.exec(readFileSync("/etc/passwd", "utf8")) ?? [];
      expect(first).not.toBe("");
      const refused = await startRoot(starter, file, ["-u", first], ["id"], home());
      expect(refused.stderr).toMatch(/E_ROOT_\w+/);
      expect(refused.stdout).toBe("");
      // Not by id, which reads the file too.
      const asked = ["grep", "-c", "^Uid:.5", "/proc/self/status"];
      const byNumber = await startRoot(starter, file, ["-u", "5:6"], asked, home());
      expect(byNumber).toMatchObject({ status: 0, stdout: "1\n" });
    });
});
