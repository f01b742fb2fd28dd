/**
 * What comes out of an image, a zip file or an AppImage gives nobody a right that he did not ask for:
 * no set-id bits, devices, file capabilities, or files of others, for root too, by every way that
 * files are extracted.
 */
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect } from "vitest";
import { appImage, appRun } from "../support/appimage.ts";
import { bundleOf, mksquashfs, printed, runArguments } from "../support/bundle-of.ts";
import { skipUnless } from "../support/needs.ts";
import { bundleCommand, fuselage, isRoot, ordinaryUser, root, run } from "../support/process.ts";
import { aloneIn } from "../support/start.ts";
import { temporaryDirectory, userDirectory } from "../support/temporary.ts";
import { makeZip, S_IFREG } from "../support/zip.ts";

const check = skipUnless("root", "mksquashfs", "xattrs");
const { uid, gid } = ordinaryUser();
const callers = [
  ["root", { uid: 0, gid: 0 }, temporaryDirectory],
  ["a user", { uid, gid }, userDirectory],
] as const;

/** Everything that gives rights, several names and kinds of each. */
const script = String.raw`
set -eu
umask 022
mkdir -p bin dev shared group
cp /usr/bin/id bin/setuid; chmod 4755 bin/setuid; ln bin/setuid bin/again
cp /usr/bin/id bin/setgid; chmod 2755 bin/setgid
cp /usr/bin/id bin/unreadable; chmod 6111 bin/unreadable
chmod 3777 shared; chmod 2755 group
mkfifo pipe; chmod 4666 pipe
mknod dev/zero c 1 5; ln dev/zero dev/again; mknod -m 666 dev/disk b 7 0
cp /usr/bin/id bin/capable
setfattr -n security.capability -v 0x0100000280000000000000000000000000000000 bin/capable
echo x > marked; setfattr -n trusted.note -v t marked; setfattr -n user.note -v u marked
ln -s marked link; setfattr -h -n trusted.link -v t link; chown -h 1234:5678 link
echo x > foreign; chown 1234:5678 foreign; mkdir theirs; chown 1234:0 theirs
`;
const INSIDE = { "set-id": 6, device: 3, owner: 3, attribute: 3 };

/** Prints what gives rights below a folder, one line each; $2 and $3 are whose files are expected. */
const probe = String.raw`
cd "$1"
find . -perm /6000 -printf 'set-id %m %p\n'
find . \( -type b -o -type c \) -printf 'device %p\n'
find . \( ! -uid "$2" -o ! -gid "$3" \) -printf 'owner %U:%G %p\n'
getfattr -R -P -h -d -m '^(security[.]capability|trusted[.])' . 2>/dev/null | sed -n '/=/s/^/attribute /p'
`;

let tree: string;
let image: string;
let app: string;
beforeAll(async () => {
  if (!isRoot) return;
  tree = path.join(temporaryDirectory(), "tree");
  mkdirSync(tree);
  execFileSync("sh", ["-c", script], { cwd: tree });
  writeFileSync(path.join(tree, "run"), runArguments, { mode: 0o755 });
  writeFileSync(path.join(tree, "AppRun"), appRun, { mode: 0o755 });
  image = await mksquashfs(tree);
  app = await bundleOf(image);
});

async function rights(dir: string, owner = { uid: 0, gid: 0 }): Promise<string[]> {
  const found = await run("sh", ["-c", probe, "sh", dir, `${owner.uid}`, `${owner.gid}`]);
  return printed(found).split("\n").filter(Boolean).sort();
}

/** Of each kind, how much of it there is; an inode with two names counts twice. */
async function kinds(dir: string): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const line of await rights(dir)) {
    const [kind = ""] = line.split(" ");
    counts[kind] = (counts[kind] ?? 0) + 1;
  }
  return counts;
}

/** The rest of the tree is there as it was. */
function expectTheRest(dir: string): void {
  expect(readdirSync(path.join(dir, "bin"))).toHaveLength(5);
  expect(lstatSync(path.join(dir, "shared")).mode & 0o7777).toBe(0o1777);
  expect(lstatSync(path.join(dir, "bin/setuid")).mode & 0o777).toBe(0o755);
  expect(lstatSync(path.join(dir, "bin/again")).ino).toBe(
    lstatSync(path.join(dir, "bin/setuid")).ino,
  );
  expect(lstatSync(path.join(dir, "pipe")).isFIFO()).toBe(true);
  const args = ["--absolute-names", "-n", "user.note", "--only-values", path.join(dir, "marked")];
  expect(`${execFileSync("getfattr", args)}`).toBe("u");
}

const extractors = {
  "bundle extract": (dir: string, options: string[], who: object) =>
    run(process.execPath, [bundleCommand, "extract", image, "-d", dir, ...options], who),
  "--bundle-extract": (dir: string, options: string[], who: object) =>
    run(app, ["--bundle-extract", ...options, dir], who),
};
const all = ["--set-id", "--devices", "--owners", "--privileged-xattrs"];

check("the probe sees all that is there", async () => {
  expect(await kinds(tree)).toEqual({ ...INSIDE, "set-id": 7 });
});

describe.each(Object.entries(extractors))("%s", (name, extract) => {
  for (const [who, owner, home] of callers) {
    check(`by ${who} gives no rights, and says in one line what it left out`, async () => {
      const dir = path.join(home(), "out");
      const { status, stdout, stderr } = await extract(dir, [], owner);
      expect({ status, rights: await rights(dir, owner) }).toEqual({ status: 0, rights: [] });
      expectTheRest(dir);
      // Each inode once, whatever its names.
      const said = name === "bundle extract" ? stdout : stderr;
      const counts =
        name === "bundle extract"
          ? /^\S+: \d+ entries, .*; left out 2 device nodes, 6 set-id bits, 3 owners, 3 privileged attributes \(.*\)\n$/
          : /^fuselage: left out: 6 set-id, 2 devices, 3 owners, 3 privileged-xattrs\n$/;
      expect(said).toMatch(counts);
    });
  }

  for (const [option, kind] of [
    ["--set-id", "set-id"],
    ["--devices", "device"],
    ["--owners", "owner"],
    ["--privileged-xattrs", "attribute"],
  ] as const) {
    check(`${option} keeps what it says and nothing else`, async () => {
      const dir = path.join(temporaryDirectory(), "out");
      printed(await extract(dir, [option], {}));
      const expected = kind === "set-id" ? 7 : INSIDE[kind];
      expect(await kinds(dir)).toEqual({ [kind]: expected });
    });
  }

  check("with all options root gets back what was packed", async () => {
    const dir = path.join(temporaryDirectory(), "out");
    const { status, stderr } = await extract(dir, all, {});
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(await rights(dir)).toEqual(await rights(tree));
  });

  check("a program that was set-id runs as whoever starts it", async () => {
    const stranger = { uid: uid + 1, gid: gid + 1 };
    const base = temporaryDirectory();
    printed(await extract(path.join(base, "out"), [], {}));
    const id = (dir: string) => run(path.join(base, dir, "bin/setuid"), ["-u"], stranger);
    expect(printed(await id("out"))).toBe(`${stranger.uid}\n`);
    printed(await extract(path.join(base, "asked"), ["--set-id"], {}));
    expect(printed(await id("asked"))).toBe("0\n");
  });

  for (const option of ["--owners", "--devices"]) {
    check(`${option} of a user is refused, and nothing is left`, async () => {
      const base = userDirectory();
      const { status, stderr } = await extract(path.join(base, "out"), [option], { uid, gid });
      expect(status).not.toBe(0);
      expect(stderr).toContain("[E_EXTRACT_FAILED]");
      expect(readdirSync(base)).toEqual([]);
    });
  }

  check("an option that does not exist is refused", async () => {
    const base = temporaryDirectory();
    const { stderr } = await extract(path.join(base, "out"), ["--setid"], {});
    expect(stderr).toContain("[E_OPTION_UNKNOWN]");
    expect(readdirSync(base)).toEqual([]);
  });
});

describe("--appimage-extract", () => {
  for (const [who, owner, home] of callers) {
    check(`by ${who} gives no rights, over files that are there already too`, async () => {
      const file = await appImage(tree);
      const cwd = home();
      const dir = path.join(cwd, "squashfs-root");
      for (let again = 0; again < 2; again++) {
        printed(await run(file, ["--appimage-extract"], { cwd, ...owner }));
        expect(await rights(dir, owner)).toEqual([]);
      }
      expectTheRest(dir);
    });
  }

  check("of a pattern by root makes no device, and keeps one when asked", async () => {
    const file = await appImage(tree);
    const cwd = temporaryDirectory();
    const { stderr } = await run(file, ["--appimage-extract", "dev/*"], { cwd });
    expect(stderr).toBe("fuselage: left out: 2 devices\n");
    expect(readdirSync(cwd)).toEqual(["squashfs-root"]);
    expect(readdirSync(path.join(cwd, "squashfs-root"))).toEqual([]);
    // What tools ask for need not be there: as with AppImage's own runtime it is no failure.
    const patterns = ["dev/*", "nope", "dev/?*", "*.desktop"];
    const nothing = await run(file, ["--appimage-extract", ...patterns], { cwd });
    expect(nothing.status).toBe(0);
    expect(nothing.stderr.split("\n")).toEqual(
      expect.arrayContaining([
        'fuselage: nothing matches "nope"',
        'fuselage: nothing matches "*.desktop"',
      ]),
    );
    expect(nothing.stderr).not.toContain("dev/");
    printed(await run(file, ["--appimage-extract", "--devices", "dev/*"], { cwd }));
    expect(await kinds(path.join(cwd, "squashfs-root"))).toEqual({ device: 3 });
  });
});

/** A zip file whose modes say what no zip file should. */
const zip = () =>
  makeZip([
    { name: "run", content: runArguments, mode: S_IFREG | 0o6755 },
    { name: "shared/", mode: 0o040000 | 0o3777 },
    { name: "shared/file", content: "x", mode: S_IFREG | 0o4711 },
  ]);

describe("a start that extracts", () => {
  for (const [who, owner, home] of callers) {
    const start = (file: string, args: string[], dir = home()) =>
      run(file, args, { ...owner, env: { HOME: dir, FUSELAGE_MOUNT: "extract" } });
    const ids = [`${owner.uid}`, `${owner.gid}`];
    const look = `set -- . ${ids.join(" ")}\n${probe}\necho that is all`;

    check(`of an image into memory, by ${who}`, async () => {
      const script = `cd "$FUSELAGE_BUNDLE_DIR" && ${look}`;
      expect(printed(await start(app, ["sh", "-c", script]))).toBe("that is all\n");
      const modes = 'cd "$FUSELAGE_BUNDLE_DIR" && stat -c %a shared bin/setuid bin/unreadable';
      expect(printed(await start(app, ["sh", "-c", modes]))).toBe("1777\n755\n111\n");
    });

    check(`of a writable copy, by ${who}`, async () => {
      const copy = await bundleOf(image, { writable: true });
      const script = `cd "$FUSELAGE_BUNDLE_DIR" && ${look}`;
      expect(printed(await start(copy, ["sh", "-c", script]))).toBe("that is all\n");
    });

    check(`of a zip file, by ${who}`, async () => {
      const base = home();
      const archive = path.join(base, "app.zip");
      writeFileSync(archive, zip(), { mode: 0o644 });
      const runner = path.join(base, "fuselage");
      copyFileSync(fuselage, runner);
      for (const kind of ["static", "dynamic"]) {
        const place = `$FUSELAGE_${kind.toUpperCase()}/app`;
        const script = `cd "${place}" && stat -c %a shared run && ${look}`;
        const args = [`--${kind}=app:${archive}`, "--", "sh", "-c", script];
        expect(printed(await start(runner, args, base))).toBe("777\n755\nthat is all\n");
      }
    });
  }
});

describe("a start that keeps files on disk", () => {
  let refuse: string;
  const needGcc = skipUnless("root", "mksquashfs", "xattrs", "gcc");
  beforeAll(() => {
    refuse = path.join(temporaryDirectory(), "refuse-calls");
    execFileSync("cc", ["-o", refuse, path.join(root, "test/support/refuse-calls.c")]);
  });

  for (const [who, owner, home] of callers) {
    for (const format of ["image", "zip file"] as const) {
      needGcc(`of ${format === "zip file" ? "a" : "an"} ${format}, by ${who}`, async () => {
        const base = home();
        const archive = path.join(base, "app.zip");
        writeFileSync(archive, zip(), { mode: 0o644 });
        const copy = path.join(base, "fuselage");
        copyFileSync(fuselage, copy);
        const line =
          format === "image" ? [app, "true"] : [copy, `--static=app:${archive}`, "--", "true"];
        const env = { ...aloneIn(base), PATH: "/usr/bin:/bin", FUSERMOUNT_PROG: "/none" };
        const ids = [`${owner.uid}`, `${owner.gid}`];
        expect(await run(refuse, [...ids, ...line], { env })).toMatchObject({ status: 0 });
        const cache = path.join(base, ".fuselage/cache");
        const [made = ""] = readdirSync(cache).filter((one) => one.endsWith(".tree"));
        expect(await rights(path.join(cache, made, "files"), owner)).toEqual([]);
      });
    }
  }
});

describe("an image that is packed again", () => {
  for (const [who, owner, home] of callers) {
    check(`keeps what the old one says, by ${who}`, async () => {
      const base = home();
      const temporary = path.join(base, "tmp");
      mkdirSync(temporary);
      chmodSync(temporary, 0o777);
      const plain = path.join(base, "plain.sfs");
      // What the builder cannot read, or takes only with --devices.
      const without = ["-e", "pipe", "dev", "bin/unreadable"];
      copyFileSync(await mksquashfs(tree, ...without), plain);
      chmodSync(plain, 0o644);
      const out = path.join(base, "out.run");
      const options = ["--entry", "run", "--compression", "gzip", "--keep-owners", "-o", out];
      const env = { TMPDIR: temporary, HOME: base };
      const args = [bundleCommand, "build", plain, ...options];
      printed(await run(process.execPath, args, { env, ...owner }));
      expect(readdirSync(temporary)).toEqual([]);
      const dumped = async (file: string) =>
        printed(await run(process.execPath, [bundleCommand, "dump", file, "--no-times"]));
      expect(await dumped(out)).toBe(await dumped(plain));
      expect(existsSync(out)).toBe(true);
    });
  }
});
