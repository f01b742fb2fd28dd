/**
 * `bundle dump` says the same of a tree by whatever way one comes to it: the folder itself, its
 * image, the image mounted by each strategy, on the host and in a namespace, and extracted.
 */
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { pack } from "../../builder/api/pack.ts";
import { bundleOf, mksquashfs, printed, runArguments } from "../support/bundle-of.ts";
import { everyType } from "../support/every-type.ts";
import { type Need, skipUnless } from "../support/needs.ts";
import {
  asUser,
  bundleCommand,
  isRoot,
  ordinaryUser,
  type RunOptions,
  run,
} from "../support/process.ts";
import { temporaryDirectory, userDirectory } from "../support/temporary.ts";

const user = ordinaryUser();
/** What an extraction keeps only when it is asked to. */
const everything = ["--set-id", "--devices", "--owners", "--privileged-xattrs"];
/** A dump as an extraction that is not asked for it makes it. */
const withoutSetId = (text: string) =>
  text.replace(/^(\S+ \S+ )([0-7])(?=[0-7]{3} )/gm, (_, head, digit) => `${head}${digit & 1}`);
const bundle = async (args: readonly string[], options: RunOptions = {}) =>
  printed(await run(process.execPath, [bundleCommand, ...args], options));
const dump = (input: string, ...args: string[]) => bundle(["dump", input, ...args]);
/** What an ordinary user can be shown: he owns it all. */
const ofTheUser = ["--no-owners", "--xattrs=user"];

/** What `everyType` lacks, as it needs root or more than a shell. */
const more = String.raw`
set -eu
mkdir huge; cd huge; seq -f 'an-entry-of-a-directory-with-an-index-%05g' 1 2000 | xargs touch; cd ..
chown 4000000000:3000000000 files/one-block-and-a-byte
setfattr -n security.capability -v 0x0100000200040000000000000000000000000000 files/random
ln fifo links/fifo; ln null links/null
setfattr -n trusted.of -v fifo fifo; setfattr -n trusted.of -v block disk
chmod 1755 dir; chmod 2755 dir/deep; chmod 7777 files/random
printf x > 'back\slash=equals'
find . -exec touch -h -d '2001-02-03 04:05:06 UTC' {} +
touch -d @4294967295 files/empty; touch -h -d @0 links/relative; touch -d @2147483648 empty
`;

/** Leaves a socket: closing a server removes the name that it was bound to. */
async function makeSocket(file: string): Promise<void> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(`${file}.bound`, resolve));
  renameSync(`${file}.bound`, file);
  await new Promise((resolve) => server.close(resolve));
}

/** Mounts at a new directory while `use` looks. */
async function mounted(
  type: string,
  file: string,
  options: RunOptions,
  use: (dir: string) => Promise<string>,
): Promise<string> {
  const dir = options.uid === undefined ? temporaryDirectory() : userDirectory();
  await bundle(["mount", file, dir, `--mount-type=${type}`], options);
  try {
    return await use(dir);
  } finally {
    await bundle(["umount", dir], options);
  }
}

describe("a tree with every kind of inode", () => {
  const needs: Need[] = ["root", "mksquashfs", "xattrs", "loop", "fuse", "fusermount", "userns"];
  const check = skipUnless(...needs);
  let source: string;
  let image: string;
  let app: string;
  let expected: string;

  beforeAll(async () => {
    if (!isRoot) return;
    source = everyType();
    execFileSync("sh", ["-c", more], { cwd: source });
    await makeSocket(path.join(source, "socket"));
    writeFileSync(path.join(source, "run"), runArguments);
    chmodSync(path.join(source, "run"), 0o755);
    execFileSync("touch", ["-d", "@1000000000", source, path.join(source, "socket")]);
    image = await mksquashfs(source, "-comp", "zstd");
    app = await bundleOf(image);
    expected = await dump(source);
  });

  check("is all there", () => {
    for (const type of ["dir", "file", "link", "block", "char", "fifo", "socket"]) {
      expect(expected).toMatch(new RegExp(`^/\\S* ${type} `, "m"));
    }
    expect(expected).toContain(
      "\n/back\\x5cslash=equals file 0644 0:0 1 981173106 sha256=2d711642",
    );
    expect(expected).toContain("/bad\\xffutf8 file");
    expect(expected).toContain("/new\\x0aline file");
    expect(expected).toMatch(/^\/disk block 0644 0:0 - 981173106 device=259:70000 xattr\.trusted/m);
    expect(expected).toMatch(/4000000000:3000000000 131073 /);
    expect(expected).toMatch(/^\/dir\/hard file .* links=3 first=\/dir\/deep\/hard-too /m);
    expect(expected).toMatch(/^\/files\/empty file 0644 0:0 0 4294967295 /m);
    expect(expected).toMatch(/^\/socket socket /m);
    expect(expected).toMatch(/xattr\.security\.capability=\\x01\\x00\\x00\\x02/);
    const paths = expected
      .trim()
      .split("\n")
      .map((line) => line.split(" ", 1)[0] as string);
    const unescaped = paths.map((one) =>
      one.replace(/\\x(..)/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16))),
    );
    expect(unescaped).toEqual(unescaped.toSorted());
    expect(paths.length).toBeGreaterThan(2700);
  });

  check("is the same in the image and in the bundle", async () => {
    expect(await dump(image)).toBe(expected);
    expect(await dump(app)).toBe(expected);
  });

  check("is the same in an image of our own, which has no sockets", async () => {
    const own = path.join(temporaryDirectory(), "own.sfs");
    const kept = { keepMtimes: true, keepOwners: true, devices: true };
    await pack({ input: source, output: own, exclude: ["socket"], level: 1, ...kept });
    expect(await dump(own)).toBe(expected.replace(/^\/socket .*\n/m, ""));
  });

  for (const type of ["loop", "fuse", "fusermount"]) {
    check(`is the same mounted by ${type}`, async () => {
      expect(await mounted(type, app, {}, (dir) => dump(dir))).toBe(expected);
    });
  }

  check("is the same extracted by bundle and by itself", async () => {
    const out = path.join(temporaryDirectory(), "out");
    await bundle(["extract", image, "-d", out, ...everything]);
    expect(await dump(out)).toBe(expected);
    printed(await run(app, ["--bundle-extract", ...everything, `${out}-2`]));
    expect(await dump(`${out}-2`)).toBe(expected);
  });

  check("is root's own, without what gives rights, when nothing is asked for", async () => {
    const out = path.join(temporaryDirectory(), "out");
    await bundle(["extract", image, "-d", out]);
    const options = ["--no-devices", "--xattrs=user"];
    const owned = (await dump(source, ...options)).replace(/ \d+:\d+ (?=\d+ |- )/g, " 0:0 ");
    expect(await dump(out, ...options)).toBe(withoutSetId(owned));
    expect(await dump(out)).not.toMatch(/ (char|block) |xattr\.(security|trusted)/);
    await run(app, ["--bundle-extract", `${out}-2`]);
    expect(await dump(`${out}-2`)).toBe(await dump(out));
  });

  const inside = ["sh", "-c", 'exec "$0" "$1" dump "$FUSELAGE_BUNDLE_DIR" $2', process.execPath];
  check("is the same extracted for a start, but for what gives rights", async () => {
    const env = { FUSELAGE_MOUNT: "extract" };
    const options = [...ofTheUser, "--no-devices"];
    const found = await run(app, [...inside, bundleCommand, options.join(" ")], { env });
    expect(printed(found)).toBe(withoutSetId(await dump(source, ...options)));
  });

  check("is the user's own, mounted by fusermount for a user", async () => {
    const found = await mounted("fusermount", app, user, (dir) =>
      bundle(["dump", dir, "--xattrs=user"], user),
    );
    const owner = `${user.uid}:${user.gid}`;
    const owned = (await dump(source, "--xattrs=user")).replace(
      / (\d+):\d+ (?=\d+ |- )/g,
      ` ${owner} `,
    );
    expect(found).toBe(owned);
  });

  check("is the same by fuse and by extraction in a user's namespace", async () => {
    const home = userDirectory();
    for (const [type, ...without] of [["fuse"], ["extract", "--no-devices"]] as const) {
      const options = [...ofTheUser, ...without];
      const env = { FUSELAGE_MOUNT: type };
      const args = [...inside, bundleCommand, options.join(" ")];
      const shown = await dump(source, ...options);
      const expected = type === "extract" ? withoutSetId(shown) : shown;
      expect(printed(await asUser(app, args, home, { env }))).toBe(expected);
    }
  });

  check("a user's own extraction is the same, without devices", async () => {
    const out = path.join(userDirectory(), "out");
    await bundle(["extract", image, "-d", out], user);
    const options = [...ofTheUser, "--no-devices"];
    const shown = await dump(source, ...options);
    expect(await bundle(["dump", out, ...options], user)).toBe(withoutSetId(shown));
  });
});

describe("files beyond 4 GiB", () => {
  skipUnless(
    "root",
    "loop",
    "fuse",
  )("are as long as they are, with their end", async () => {
    const base = temporaryDirectory();
    const input = path.join(base, "in");
    mkdirSync(input);
    const script = "truncate -s 4300M big; echo the end >> big; touch -d @1 big .";
    execFileSync("sh", ["-c", script], { cwd: input });
    const image = path.join(base, "image.sfs");
    await pack({ input, output: image, keepMtimes: true });
    // The contents are four gigabytes of nothing: read where there is something.
    const expected = await dump(input, "--no-digests");
    expect(expected).toContain("/big file 0644 0:0 4508876808 1\n");
    expect(await dump(image, "--no-digests")).toBe(expected);
    for (const type of ["loop", "fuse"]) {
      const found = await mounted(type, image, {}, async (dir) => {
        expect(printed(await run("tail", ["-c", "10", `${dir}/big`]))).toBe(
          "\0\0the end\n".slice(0),
        );
        return dump(dir, "--no-digests");
      });
      expect(found).toBe(expected);
    }
  });
});

test("symbolic links and files with several names are groups in our own image too", async () => {
  const base = temporaryDirectory();
  const script = "mkdir in; cd in; ln -s x b; ln b a; ln b c; echo 1 > f; ln f d; touch -hd @5 . *";
  execFileSync("sh", ["-c", script], { cwd: base });
  const image = path.join(base, "image.sfs");
  const input = path.join(base, "in");
  await pack({ input, output: image, keepMtimes: true, keepOwners: true });
  const source = await dump(input);
  expect(source).toMatch(/^\/c link 0777 \S+ - 5 target=x links=3 first=\/a$/m);
  expect(source).toMatch(/^\/f file 0644 \S+ 2 5 sha256=\w+ links=2 first=\/d$/m);
  expect(await dump(image)).toBe(source);
});

test("a time before 1970 is the first second of it in an image, which has none before", async () => {
  const base = temporaryDirectory();
  const input = path.join(base, "in");
  mkdirSync(input);
  writeFileSync(path.join(input, "old"), "");
  execFileSync("touch", ["-d", "1969-12-31 23:59:58.5 UTC", path.join(input, "old"), input]);
  const image = path.join(base, "image.sfs");
  await pack({ input, output: image, keepMtimes: true, keepOwners: true });
  const source = await dump(input);
  expect(source).toContain(" 0 -2 sha256=");
  expect(await dump(image)).toBe(source.replaceAll(" -2", " 0"));
});

describe("bundle dump", () => {
  test("leaves out what it is told to", async () => {
    const base = temporaryDirectory();
    writeFileSync(path.join(base, "f"), "text\n");
    execFileSync("touch", ["-d", "@5", path.join(base, "f"), base]);
    const options = ["--no-owners", "--no-times", "--no-digests", "--xattrs=none", "--no-devices"];
    expect(await dump(base, ...options)).toBe("/ dir 0755 - - -\n/f file 0644 - 5 -\n");
    const [, line = ""] = (await dump(base, "--json", "--no-owners")).split("\n");
    expect(JSON.parse(line)).toEqual({
      path: "/f",
      type: "file",
      mode: "0644",
      size: 5,
      mtime: 5,
      sha256: "b9e68e1bea3e5b19ca6b2f98b73a54b73daafaa250484902e09982e07a12e733",
    });
  });

  test("says where an image is damaged", async () => {
    const base = temporaryDirectory();
    mkdirSync(path.join(base, "in"));
    const text = Array.from({ length: 40_000 }, (_, i) => `${i * 7919}\n`).join("");
    writeFileSync(path.join(base, "in/file"), text);
    const image = path.join(base, "image.sfs");
    await pack({ input: path.join(base, "in"), output: image });
    const bytes = readFileSync(image);
    bytes.fill(0xff, 200, 400);
    writeFileSync(image, bytes);
    const { status, stderr } = await run(process.execPath, [bundleCommand, "dump", image]);
    expect(status).toBe(1);
    expect(stderr).toMatch(/^bundle: \[E_IMAGE_CORRUPT\] .*\(file\)/);
  });
});
