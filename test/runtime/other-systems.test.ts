/**
 * Apps that bring no libc, because they need none or the machine's shell, on machines without one, with
 * another, or with an old one. test/libc has those that bring theirs.
 */
import { execFileSync } from "node:child_process";
import path from "node:path";
import { beforeAll, describe, expect } from "vitest";
import { runtimeFile } from "../support/bundle-of.ts";
import { writeFiles } from "../support/case.ts";
import { missing, skipUnless } from "../support/needs.ts";
import { bundle, root as checkout, ordinaryUser } from "../support/process.ts";
import { type OtherRoot, otherRoot } from "../support/roots.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const needs = ["root", "gcc", "fuse", "userns", "debian"] as const;
const names = ["nothing", "musl", "debian-11"] as const;
const users = { "as root": 0, "as a user": ordinaryUser().uid };

const roots = new Map<string, OtherRoot>();
const files = ["hello.run", "Hello.AppImage", "hello.zip", "shell.run"];

const script = '#!/bin/sh\nread -r line < "${0%/*}/../share/greeting"\necho "$line, $1"\n';

beforeAll(async () => {
  if (needs.some((need) => missing(need) !== undefined)) return;
  const dir = temporaryDirectory();
  const source = path.join(checkout, "scripts/matrix/hello.c");
  writeFiles(dir, {
    "hello/share/note": "a note\n",
    "hello/bin/.keep": "",
    "shell/bin/greet": script,
    "shell/share/greeting": "hello\n",
  });
  execFileSync("gcc", ["-static", "-O1", "-o", "hello/bin/hello", source], { cwd: dir });
  for (const args of [
    ["build", "hello", "-o", "hello.run"],
    ["build", "hello", "-o", "Hello.AppImage"],
    ["pack", "hello", "-o", "hello.zip"],
    ["build", "shell", "-o", "shell.run"],
  ])
    expect(await bundle(args, { cwd: dir })).toMatchObject({ status: 0 });
  for (const name of names) {
    const there = otherRoot(dir, name);
    for (const file of files) there.add(path.join(dir, file), `/${file}`);
    there.add(runtimeFile, "/fuselage");
    roots.set(name, there);
  }
});

const cases = names.flatMap((name) =>
  Object.entries(users).map(([who, uid]) => ({ name, who, uid })),
);

describe.each(cases)("$name, $who", ({ name, uid }) => {
  const start = (file: string, args: readonly string[] = []) =>
    (roots.get(name) as OtherRoot).start(file, uid, args);
  const ends = (stdout: string) => ({ status: 0, stdout, stderr: "" });

  skipUnless(...needs)("a static program, and as an AppImage", async () => {
    for (const file of ["/hello.run", "/Hello.AppImage"])
      expect(await start(file)).toEqual(expect.objectContaining(ends("hello\n")));
  });

  skipUnless(...needs)("a program in a zip file, by the runner", async () => {
    const args = ["--static=app:/hello.zip", "--run", "app/bin/hello"];
    expect(await start("/fuselage", args)).toEqual(expect.objectContaining(ends("hello\n")));
  });

  skipUnless(...needs)("a shell script, or what it lacks", async () => {
    const outcome = await start("/shell.run", ["you"]);
    if (name !== "nothing") expect(outcome).toMatchObject(ends("hello, you\n"));
    else {
      expect(outcome.status).toBe(127);
      expect(outcome.stderr).toMatch(/\[E_ENTRY_INTERPRETER\] .*bin\/greet: .*: #!\/bin\/sh$/m);
    }
  });
});
