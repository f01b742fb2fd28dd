/** `bundle build --from-dump`: what a dump lists becomes a bundle again, or is refused in words. */
import { createHash } from "node:crypto";
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { printed } from "../support/bundle-of.ts";
import { everyType } from "../support/every-type.ts";
import { skipUnless } from "../support/needs.ts";
import {
  asUser,
  bundle,
  bundleCommand,
  isRoot,
  ordinaryUser,
  type RunOptions,
  run,
} from "../support/process.ts";
import { temporaryDirectory, userDirectory } from "../support/temporary.ts";

const sha256 = (bytes: string | Buffer) => createHash("sha256").update(bytes).digest("hex");

/** Every content that a dump of `tree` names, in one of the places where it is looked for. */
function storeOf(tree: string, dump: string, store: string): void {
  const places = [
    (hex: string) => hex,
    (hex: string) => `${hex.slice(0, 2)}/${hex.slice(2)}`,
    (hex: string) => `sha256/${hex}`,
  ];
  const unescaped = (text: string) =>
    Buffer.from(
      text.replace(/\\x(..)/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16))),
      "latin1",
    );
  for (const [i, line] of dump.trim().split("\n").entries()) {
    const [, shown = "", hex] = /^(\S+) file .* sha256=(\w+)/.exec(line) ?? [];
    if (hex === undefined) continue;
    const object = path.join(store, (places[i % 3] as (hex: string) => string)(hex));
    mkdirSync(path.dirname(object), { recursive: true, mode: 0o755 });
    writeFileSync(object, readFileSync(Buffer.concat([Buffer.from(tree), unescaped(shown)])));
    chmodSync(object, 0o644);
  }
}

describe("every type of file comes back", () => {
  let tree: string;
  let lines: string;
  let store: string;
  beforeAll(async () => {
    tree = everyType();
    writeFileSync(path.join(tree, "app"), "#!/bin/sh\nexit 7\n", { mode: 0o755 });
    const image = path.join(temporaryDirectory(), "image.sfs");
    const keep = ["--keep-owners", "--keep-mtimes", "--devices"];
    printed(await bundle(["pack", tree, "-o", image, ...keep]));
    lines = printed(await bundle(["dump", image]));
    // Which no folder has that is packed.
    lines += "/zsocket socket 0640 5:6 - 77\n";
    store = temporaryDirectory();
    chmodSync(store, 0o755);
    storeOf(tree, lines, store);
  });

  const check = skipUnless("xattrs");
  for (const starter of isRoot ? ["root", "user"] : ["user"]) {
    check(`in a bundle by the ${starter === "user" ? "ordinary user" : starter}`, async () => {
      const dir = userDirectory();
      writeFileSync(`${dir}/app.dump`, lines);
      const options: RunOptions = starter === "user" && isRoot ? ordinaryUser() : {};
      const call = (...args: string[]) =>
        run(process.execPath, [bundleCommand, ...args], { ...options, cwd: dir });
      const made = ["build", "--from-dump", "app.dump", "--objects", store, "--entry", "app"];
      printed(await call(...made, "-o", "app.run"));
      expect(printed(await call("dump", "app.run"))).toBe(lines);
      expect((await asUser(`${dir}/app.run`, [], dir)).status).toBe(7);
      // And once more, of JSON, on standard input.
      const json = printed(await call("dump", "app.run", "--json"));
      const again = ["build", "--from-dump", "-", "--objects", store, "--name", "app"];
      const result = await run(
        process.execPath,
        [bundleCommand, ...again, "--entry", "app", "-o", "again.run"],
        { ...options, cwd: dir, input: json },
      );
      printed(result);
      expect(readFileSync(`${dir}/again.run`).equals(readFileSync(`${dir}/app.run`))).toBe(true);
    });
  }

  check("with what is asked for besides", async () => {
    const dir = temporaryDirectory();
    writeFileSync(`${dir}/app.dump`, lines);
    const args = ["build", "--from-dump", `${dir}/app.dump`, "--objects", store, "--entry", "app"];
    const more = ["--owner", "9:8", "--symlink", "more=app", "--compression", "gzip"];
    printed(await bundle([...args, ...more, "-o", `${dir}/app.run`]));
    const shown = printed(await bundle(["dump", `${dir}/app.run`]));
    expect(shown).toMatch(/^\/more link 0777 9:8 - \d+ target=app$/m);
    expect(shown).toMatch(/^\/zsocket socket 0640 9:8 - 77$/m);
  });
});

describe("a bundle whose root is the image", () => {
  test("has it from a dump, too", async () => {
    const dir = temporaryDirectory();
    writeFileSync(`${dir}/root.dump`, "/ dir 0755 0:0 - 1\n/x file 0755 0:0 0 1\n");
    const args = ["build", "--from-dump", `${dir}/root.dump`, "--root", "-o", `${dir}/root.run`];
    printed(await bundle(args));
    expect(printed(await bundle(["inspect", `${dir}/root.run`]))).toContain("root");
  });
});

describe("refused", () => {
  const root = "/ dir 0755 0:0 - 1\n";
  const hex = sha256("abc");
  const file = (size: number, digest = hex) => `file 0755 0:0 ${size} 1 sha256=${digest}`;
  const cases: Record<string, { lines: string; says: string | RegExp }> = {
    "contents that are others": {
      lines: `/a file 0755 0:0 3 1 sha256=${sha256("other")}\n`,
      says: `[E_DUMP_OBJECT] store/${sha256("other")}: has other contents, sha256 ${hex}`,
    },
    "contents that are missing": {
      lines: `/a file 0755 0:0 3 1 sha256=${sha256("none")}\n`,
      says: `[E_DUMP_OBJECT] store/${sha256("none")}: is not there`,
    },
    "contents of another size": {
      lines: `/a file 0755 0:0 4 1 sha256=${hex}\n`,
      says: "d:2: its size is 4, and these contents have 3 bytes",
    },
    "contents that are a folder": {
      lines: `/a file 0755 0:0 3 1 sha256=${sha256("folder")}\n`,
      says: /\[E_\w+\] store\/\w+: .*folder/,
    },
    "contents that never end": {
      lines: `/a file 0755 0:0 3 1 sha256=${sha256("fifo")}\n`,
      says: /\[E_\w+\] store\/\w+: .*special file/,
    },
    "a digest that is a path": {
      lines: "/a file 0755 0:0 3 1 sha256=../../../../etc/passwd\n",
      says: "d:2: its sha256 is no 64 hexadecimal digits",
    },
    "a path upwards": { lines: "/../a dir 0755 0:0 - 1\n", says: "[E_PATH_INVALID]" },
    "a path that is the root's, written otherwise": {
      lines: "//a dir 0755 0:0 - 1\n",
      says: /\[E_\w+\]/,
    },
    "a path with a dot": { lines: "/. dir 0755 0:0 - 1\n", says: "[E_PATH_INVALID]" },
    "a path with a NUL": { lines: "/a\\x00b dir 0755 0:0 - 1\n", says: "[E_PATH_INVALID]" },
    "a path with an escaped slash": {
      lines: "/a dir 0755 0:0 - 1\n/a\\x2f..\\x2fb dir 0755 0:0 - 1\n",
      says: /\[E_\w+\]/,
    },
    "a path below a link": {
      lines: "/a link 0777 0:0 - 1 target=/etc\n/a/b dir 0755 0:0 - 1\n",
      says: "d:3: the folder that it is in has no line before it",
    },
    "a name of more than 255 bytes": {
      lines: `/${"n".repeat(256)} dir 0755 0:0 - 1\n`,
      says: /\[E_\w+\]/,
    },
    "a folder of two names": {
      lines: "/a dir 0755 0:0 - 1\n/a/b dir 0755 0:0 - 1 links=2 first=/a\n",
      says: 'd:3: the first name of its inode is a "dir"',
    },
    "a name of the root": {
      lines: "/a dir 0755 0:0 - 1 links=2 first=/\n",
      says: "d:2: the first name of its inode",
    },
    "a second name of another type": {
      lines: "/a fifo 0644 0:0 - 1\n/b file 0644 0:0 0 1 links=2 first=/a\n",
      says: 'd:3: the first name of its inode is a "fifo"',
    },
    "a second name of other rights": {
      lines: "/a fifo 0644 0:0 - 1\n/b fifo 4755 0:0 - 1 links=2 first=/a\n",
      says: "d:3: it says other things than the first name of its inode",
    },
    ...Object.fromEntries(
      [
        ["size", file(3), file(4)],
        ["contents", file(3), file(3, sha256("other"))],
        ["contents than none", "file 0755 0:0 0 1", file(0, hex)],
        ["target", "link 0777 0:0 - 1 target=x", "link 0777 0:0 - 1 target=y"],
        ["device", "char 0644 0:0 - 1 device=1:3", "char 0644 0:0 - 1 device=1:5"],
      ].map(([what, first, second]) => [
        `a second name of another ${what}`,
        {
          lines: `/a ${first}\n/b ${second} links=2 first=/a\n`,
          says: "d:3: it says other things than the first name of its inode",
        },
      ]),
    ),
    "an empty file of other contents": {
      lines: `/a ${file(0)}\n`,
      says: "d:2: its size is 0, and its sha256 is that of other contents",
    },
    ...Object.fromEntries(
      [`"no"`, `["no"]`, `{"user.x":5}`, `{"user.x":null}`].map((xattrs) => [
        `extended attributes that are ${xattrs}`,
        {
          lines: `{"path":"/a","type":"fifo","mode":"0644","xattrs":${xattrs}}\n`,
          says: "d:2: its xattrs are no object of texts",
        },
      ]),
    ),
    "a line that a terminal would obey": {
      lines: "/a \u001b[2Jdoor 0644 0:0 - 1\n",
      says: 'd:2: there is no type "\\x1b[2Jdoor"',
    },
  };
  test("what has no lines", async () => {
    const cwd = temporaryDirectory();
    const args = ["build", "--from-dump", "/dev/zero", "--entry", "a", "-o", "app.run"];
    const { status, stderr } = await bundle(args, { cwd });
    expect(status).toBe(1);
    expect(stderr).toMatch(
      /^bundle: \[E_DUMP_INVALID\] \/dev\/zero: has a line of more than 64 MiB/m,
    );
    expect(existsSync(`${cwd}/app.run`)).toBe(false);
  });
  for (const [name, { lines, says }] of Object.entries(cases)) {
    test(name, async () => {
      const cwd = temporaryDirectory();
      mkdirSync(`${cwd}/store/${sha256("folder")}`, { recursive: true });
      writeFileSync(`${cwd}/store/${hex}`, "abc");
      writeFileSync(`${cwd}/store/${sha256("other")}`, "abc");
      if (name.includes("never end")) await run("mkfifo", [`${cwd}/store/${sha256("fifo")}`]);
      writeFileSync(`${cwd}/d`, root + lines);
      const args = ["build", "--from-dump", "d", "--objects", "store", "--entry", "a"];
      const { status, stdout, stderr } = await bundle([...args, "-o", "app.run"], { cwd });
      expect({ status, stdout }).toMatchObject({
        status: expect.toSatisfy((n) => n !== 0),
        stdout: "",
      });
      expect(stderr).toEqual(
        typeof says === "string" ? expect.stringContaining(says) : expect.stringMatching(says),
      );
      expect(stderr).not.toContain("\u001b");
      expect(existsSync(`${cwd}/app.run`)).toBe(false);
    });
  }

  test("contents that its user cannot read", async () => {
    const cwd = userDirectory();
    chmodSync(cwd, 0o777);
    mkdirSync(`${cwd}/store`);
    writeFileSync(`${cwd}/store/${hex}`, "abc", { mode: 0o000 });
    writeFileSync(`${cwd}/d`, `${root}/a ${file(3)}\n`);
    const args = ["build", "--from-dump", "d", "--objects", "store", "--entry", "a"];
    const options = { ...(isRoot ? ordinaryUser() : {}), cwd };
    const command = [bundleCommand, ...args, "-o", "app.run"];
    const { status, stderr } = await run(process.execPath, command, options);
    expect(status).toBe(1);
    expect(stderr).toContain(`[E_FILE_UNREADABLE] store/${hex}: cannot be read: permission denied`);
  });

  test("not a second name that leaves out what the first one says", async () => {
    const cwd = temporaryDirectory();
    mkdirSync(`${cwd}/store`);
    writeFileSync(`${cwd}/store/${hex}`, "abc");
    const lines = [`/a ${file(3)}`, "/b file 0755 0:0 - 1 links=2 first=/a"];
    const links = ["/c link 0777 0:0 - 1 target=x", "/d link 0777 0:0 - 1 first=/c"];
    writeFileSync(`${cwd}/d`, `${root}${[...lines, ...links].join("\n")}\n`);
    const args = ["build", "--from-dump", "d", "--objects", "store", "--entry", "a"];
    printed(await bundle([...args, "-o", "app.run"], { cwd }));
    expect(printed(await bundle(["dump", "app.run"], { cwd }))).toContain(
      `/b file 0755 0:0 3 1 sha256=${hex} links=2 first=/a`,
    );
  });

  test("what goes together in no way", async () => {
    const cwd = temporaryDirectory();
    writeFileSync(`${cwd}/d`, root);
    chownSync(cwd, process.getuid?.() ?? 0, process.getgid?.() ?? 0);
    for (const [args, says] of [
      [["app", "--from-dump", "d"], "[E_OPTION_CONFLICT] APP, while --from-dump says all of it"],
      [["app", "--objects", "store"], "[E_OPTION_CONFLICT] --objects without --from-dump"],
      [["--from-dump", "d", "--exclude", "x"], "[E_OPTION_CONFLICT] --exclude, while --from-dump"],
      [["--from-dump", "d", "--with-libs"], "[E_OPTION_CONFLICT] --with-libs, while"],
      [["--from-dump", "none"], "[E_FILE_UNREADABLE] none"],
      [["--objects", "store"], "[E_ARGUMENT] APP is missing"],
    ] as const) {
      const { status, stderr } = await bundle(["build", ...args, "-o", "app.run"], { cwd });
      expect({ args, status, stderr }).toEqual({
        args,
        status: expect.toSatisfy((n) => n !== 0),
        stderr: expect.stringContaining(says),
      });
    }
  });
});
