/** Folders on the way to a cache, a home or files that users other than the starter can change. */
import { createHash } from "node:crypto";
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  lchownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect } from "vitest";
import { appImage, variables } from "../support/appimage.ts";
import { printed } from "../support/bundle-of.ts";
import { skipUnless } from "../support/needs.ts";
import { fuselage, ordinaryUser, type RunOptions, run } from "../support/process.ts";
import { ask, asRoot, checkOf, homeOf, refused, start, ways } from "../support/runner.ts";
import { temporaryDirectory, userDirectory } from "../support/temporary.ts";
import { makeZip } from "../support/zip.ts";

const { uid, gid } = ordinaryUser();
const other = uid + 1;
const check = skipUnless("root");

/** Makes a folder. @returns its path */
function folder(dir: string, owner: number, mode: number, group = owner): string {
  mkdirSync(dir);
  chownSync(dir, owner, group);
  chmodSync(dir, mode);
  return dir;
}

function link(file: string, to: string, owner: number): string {
  symlinkSync(to, file);
  lchownSync(file, owner, owner);
  return file;
}

const inside = (...names: string[]) => path.join(temporaryDirectory(), ...names);
/** Everything that stands in a folder, to any depth. */
const listing = (dir: string) => readdirSync(dir, { recursive: true }).sort();

/** Places that another user can exchange, with the owner in them; by what is wrong with them. */
const unsafe: [string, (owner: number) => string][] = [
  ["another user's", () => folder(inside("a"), other, 0o755)],
  [
    "the starter's own in another user's",
    (owner) => folder(path.join(folder(inside("a"), other, 0o755), "x"), owner, 0o700),
  ],
  [
    "the starter's own in everybody's",
    (owner) => folder(path.join(folder(inside("w"), 0, 0o777), "x"), owner, 0o700),
  ],
  [
    "the starter's own in a group's",
    (owner) => folder(path.join(folder(inside("g"), 0, 0o775, gid), "x"), owner, 0o700),
  ],
  [
    "another user's in a sticky folder",
    () => folder(path.join(folder(inside("t"), 0, 0o1777), "x"), other, 0o777),
  ],
  [
    "another user's link to the starter's own",
    (owner) =>
      link(
        path.join(folder(inside("t"), 0, 0o1777), "l"),
        folder(inside("own"), owner, 0o700),
        other,
      ),
  ],
  [
    "a link of the starter's into another user's",
    (owner) =>
      link(
        inside("l"),
        folder(path.join(folder(inside("a"), other, 0o755), "x"), owner, 0o700),
        owner,
      ),
  ],
];
/** Who starts in each way. */
const starter = (way: { root: boolean }) => (way.root ? 0 : uid);

describe.each(ways)("$title: HOME", (way) => {
  const it = checkOf(way, "root");
  for (const [title, make] of unsafe) {
    it(`that is ${title} is passed over without a word`, async () => {
      const home = make(starter(way));
      const XDG_RUNTIME_DIR = homeOf(way);
      const args = ["--cache-static", `--static=a:${zip}`, "cat", "/proc/self/mountinfo"];
      const { status, stdout, stderr } = await start(way, args, home, { env: { XDG_RUNTIME_DIR } });
      expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
      expect(stdout).not.toContain(path.dirname(home));
      expect(listing(home)).toEqual([]);
      const cache = path.join(XDG_RUNTIME_DIR, "fuselage/cache");
      expect(readdirSync(cache).filter((name) => name.endsWith(".sfs"))).toHaveLength(1);
    });
  }

  it("behind links of root's and the user's is used", async () => {
    const home = homeOf(way);
    const first = link(inside("first"), home, starter(way));
    for (const linked of [first, link(inside("second"), first, 0)]) {
      await ask(way, ["--cache-static", `--static=a:${zip}`, "true"], linked);
      expect(existsSync(path.join(home, ".fuselage/cache"))).toBe(true);
      rmSync(path.join(home, ".fuselage"), { recursive: true });
    }
  });
});

let zip: string;
beforeAll(() => {
  zip = path.join(temporaryDirectory(), "a.zip");
  writeFileSync(zip, makeZip([{ name: "file", content: "packed\n" }]));
});

describe("mode 0775", () => {
  const has = (home: string) => existsSync(path.join(home, ".fuselage"));
  check("of the user's own group is usual, and not for setuid-root and root", async () => {
    for (const way of ways) {
      const home = folder(inside("home"), starter(way), 0o775);
      await ask(way, ["true"], home, { env: { XDG_RUNTIME_DIR: homeOf(way) } });
      expect({ way: way.title, has: has(home) }).toEqual({
        way: way.title,
        has: !way.root && !way.setuid,
      });
    }
  });
});

describe.each(ways)("$title: FUSELAGE_HOME", (way) => {
  const it = checkOf(way, "root");
  for (const [title, make] of unsafe) {
    it(`that is ${title} is refused, with the folder at fault, its owner and mode`, async () => {
      const dir = make(starter(way));
      const env = { FUSELAGE_HOME: path.join(dir, "mine") };
      const { status, code, stderr } = await refused(way, ["true"], homeOf(way), { env });
      expect({ status, code }).toEqual({ status: 125, code: "E_HOME_UNUSABLE" });
      const [, at = "", owner, mode] =
        /\] (\/.*): expected a directory of user \d+ or root, .* \(owner (\d+), mode (\d{4})\)\n {2}Set FUSELAGE_HOME to/.exec(
          stderr,
        ) ?? [];
      expect(`${dir}/`.startsWith(`${at}/`) || title.includes("link of the starter's")).toBe(true);
      expect([owner, mode]).toEqual(
        [0o777, 0o775].includes(statSync(at).mode & 0o7777) && !title.startsWith("another")
          ? ["0", mode]
          : [`${other}`, mode],
      );
      expect(listing(dir)).toEqual([]);
    });
  }

  it("that is the starter's own but open to others is refused", async () => {
    for (const mode of [0o777, 0o1777, 0o772]) {
      const env = { FUSELAGE_HOME: folder(inside("open"), starter(way), mode) };
      const { code, stderr } = await refused(way, ["true"], homeOf(way), { env });
      expect(code).toBe("E_HOME_UNUSABLE");
      expect(stderr).toContain(`mode ${mode.toString(8).padStart(4, "0")})`);
    }
  });
});

describe("root with the environment of a user", () => {
  const it = checkOf(asRoot);
  const own = "/var/cache/fuselage";
  it("keeps its cache in a folder of its own, and runs nothing of the user's", async () => {
    const home = userDirectory();
    const mark = path.join(temporaryDirectory(), "mark");
    const digits = createHash("sha256").update(readFileSync(zip)).digest("hex");
    // A whole entry that the user has prepared, with another program in it.
    const bad = path.join(temporaryDirectory(), "bad.zip");
    writeFileSync(bad, makeZip([{ name: "file", content: "of the user\n" }]));
    const cached = ["--cache-static", "-s"];
    const as = { ...asRoot, root: false };
    await ask(as, [...cached, bad, "true"], home);
    const cache = path.join(home, ".fuselage/cache");
    const [image = ""] = readdirSync(cache).filter((name) => name.endsWith(".sfs"));
    copyFileSync(path.join(cache, image), path.join(cache, `${digits.slice(0, 16)}.sfs`));
    writeFileSync(path.join(cache, `${digits.slice(0, 16)}.complete`), digits);
    await run("chown", ["-R", `${uid}:${gid}`, cache]);
    const before = listing(home);

    const env = { XDG_RUNTIME_DIR: home, TMPDIR: home, MARK: mark };
    const args = [...cached, `a:${zip}`, "sh", "-c", 'cat "$FUSELAGE_STATIC/a/file"'];
    expect(await ask(asRoot, args, home, { env })).toBe("packed\n");
    expect(listing(home)).toEqual(before);
    const kept = path.join(own, "cache", `${digits.slice(0, 16)}.sfs`);
    expect(statSync(kept).uid).toBe(0);
    expect(statSync(own).mode & 0o7066).toBe(0);
    for (const ending of ["sfs", "complete", "lock"])
      rmSync(kept.replace(/sfs$/, ending), { force: true });
  });

  it("in a user namespace of the user's own, HOME is the user's and is used", async () => {
    const home = userDirectory();
    const who = { uid, gid, env: { HOME: home } };
    const args = ["--user", "--map-root-user", "--mount", fileOf(), "true"];
    expect(await run("unshare", args, who)).toMatchObject({ status: 0, stderr: "" });
    expect(existsSync(path.join(home, ".fuselage"))).toBe(true);
  });

  /** A copy of the runner that everybody may start. */
  function fileOf(): string {
    const file = inside("fuselage");
    copyFileSync(fuselage, file);
    chmodSync(file, 0o755);
    return file;
  }
});

describe("files that are extracted to disk", () => {
  let app: string;
  beforeAll(async () => {
    app = await appImage({ AppRun: '#!/bin/sh\necho "$APPDIR"\n' });
  });
  /** With a home from which no program starts. */
  const extract = (env: Record<string, string>) => {
    const home = userDirectory();
    const noexec = `mount -t tmpfs -o noexec,mode=700,uid=${uid},gid=${gid} none "$0"`;
    const drop = `exec setpriv --reuid ${uid} --regid ${gid} --clear-groups "$@"`;
    return run("unshare", ["-m", "sh", "-c", `${noexec} && ${drop}`, home, app], {
      env: {
        HOME: home,
        APPIMAGE_EXTRACT_AND_RUN: "1",
        NO_CLEANUP: "1",
        XDG_RUNTIME_DIR: "",
        ...env,
      },
    });
  };

  for (const [title, make] of unsafe) {
    check(`are not below a TMPDIR that is ${title}`, async () => {
      const TMPDIR = make(uid);
      const { status, stdout } = await extract({ TMPDIR });
      expect(status).toBe(0);
      expect(stdout).toMatch(
        new RegExp(`^/tmp/fuselage-${uid}/cache/[0-9a-f]{16}\\.tree/files\n$`),
      );
      expect(listing(TMPDIR)).toEqual([]);
    });
  }

  const squatted: [string, (dir: string) => void][] = [
    ["a folder of another's", (dir) => folder(dir, other, 0o777)],
    ["a link of another's to the user's own", (dir) => link(dir, userDirectory(), other)],
    [
      "a link of the user's to another's",
      (dir) => link(dir, folder(inside("a"), other, 0o777), uid),
    ],
    ["a folder of the user's that others write to", (dir) => folder(dir, uid, 0o777)],
    ["a folder of root's", (dir) => folder(dir, 0, 0o755)],
  ];
  for (const [title, make] of squatted) {
    check(`are not in a sticky TMPDIR where the name is taken by ${title}`, async () => {
      const TMPDIR = folder(inside("t"), 0, 0o1777);
      make(path.join(TMPDIR, `fuselage-${uid}`));
      const { status, stdout } = await extract({ TMPDIR });
      expect({ status, at: stdout.startsWith("/tmp/fuselage-") }).toEqual({ status: 0, at: true });
      expect(listing(path.join(TMPDIR, `fuselage-${uid}`))).toEqual([]);
    });
  }

  check("are in a sticky TMPDIR and in one of the user's", async () => {
    for (const TMPDIR of [folder(inside("t"), 0, 0o1777), userDirectory()]) {
      const { stdout } = await extract({ TMPDIR });
      expect(stdout.startsWith(`${TMPDIR}/fuselage-${uid}/cache/`)).toBe(true);
    }
  });
});

describe("FILE.home and FILE.config of an AppImage", () => {
  let app: string;
  beforeAll(async () => {
    app = await appImage();
  });
  /** A copy in a folder; the variables that the app has, and what was said. */
  async function startIn(
    dir: string,
    prepare: (file: string) => void,
    options: RunOptions = { uid, gid },
  ) {
    const file = path.join(dir, "a.AppImage");
    copyFileSync(app, file);
    chmodSync(file, 0o755);
    prepare(file);
    const home = options.uid === undefined ? temporaryDirectory() : userDirectory();
    const outcome = await run(file, [], {
      ...options,
      env: { HOME: home, XDG_CONFIG_HOME: "/own" },
    });
    return { file, home, found: variables(printed(outcome)), said: outcome.stderr };
  }
  const sticky = () => folder(inside("t"), 0, 0o1777);
  const foreign: [string, () => string, (beside: string) => void][] = [
    ["another user's", sticky, (dir) => folder(dir, other, 0o777)],
    ["the user's own, but open to others", sticky, (dir) => folder(dir, uid, 0o777)],
    ["sticky", sticky, (dir) => folder(dir, uid, 0o1777)],
    ["root's, and everybody's", sticky, (dir) => folder(dir, 0, 0o1777)],
    ["another user's link to the user's own", sticky, (dir) => link(dir, userDirectory(), other)],
    [
      "a link to another user's",
      sticky,
      (dir) => link(dir, folder(inside("a"), other, 0o777), uid),
    ],
    [
      "the user's own in another user's folder",
      () => folder(inside("a"), other, 0o755),
      (dir) => folder(dir, uid, 0o700),
    ],
    [
      "the user's own in everybody's folder",
      () => folder(inside("w"), 0, 0o777),
      (dir) => folder(dir, uid, 0o700),
    ],
  ];
  for (const [title, where, make] of foreign) {
    check(`${title}: not used, and said so`, async () => {
      const { file, home, found, said } = await startIn(where(), (name) => {
        for (const ending of ["home", "config"]) make(`${name}.${ending}`);
      });
      expect(found).toMatchObject({ HOME: home, XDG_CONFIG_HOME: "/own" });
      const lines = said.trimEnd().split("\n");
      expect(lines).toHaveLength(2);
      for (const [i, ending] of ["home", "config"].entries()) {
        expect(lines[i]).toMatch(/: expected a directory of user \d+.* \(owner \d+, mode \d{4}\)$/);
        expect(lines[i]?.startsWith(`fuselage: ${file}.${ending} is not used: /`)).toBe(true);
      }
    });
  }

  check("a user's, for root", async () => {
    const { home, found, said } = await startIn(
      userDirectory(),
      (name) => folder(`${name}.home`, uid, 0o700),
      {},
    );
    expect(found["HOME"]).toBe(home);
    expect(said).toContain(".home is not used: ");
  });

  check("the user's own, and a link of the user's to such a one, are used", async () => {
    for (const make of [
      (dir: string) => void folder(dir, uid, 0o700),
      (dir: string) => void link(dir, userDirectory(), uid),
    ]) {
      const { file, found, said } = await startIn(sticky(), (name) => make(`${name}.home`));
      expect({ home: found["HOME"], said }).toEqual({ home: `${file}.home`, said: "" });
    }
  });

  check("none, a file, or one of root's that the user cannot write to: not a word", async () => {
    for (const make of [
      () => {},
      (dir: string) => writeFileSync(dir, "", { mode: 0o666 }),
      (dir: string) => void folder(dir, 0, 0o755),
    ]) {
      const { home, found, said } = await startIn(folder(inside("a"), other, 0o755), (name) =>
        make(`${name}.home`),
      );
      expect({ home: found["HOME"], said }).toEqual({ home, said: "" });
    }
  });
});

describe("--bundle-mount without a place", () => {
  for (const [title, make] of unsafe) {
    check(`does not mount in a TMPDIR that is ${title}`, async () => {
      const file = await appImage();
      const TMPDIR = make(0);
      const { status, stderr } = await run(file, ["--bundle-mount"], { env: { TMPDIR } });
      expect(status).not.toBe(0);
      expect(stderr).toMatch(/\[E_MOUNT_POINT\] .*: expected a directory of user 0 or root/);
      expect(listing(TMPDIR)).toEqual([]);
    });
  }
});
