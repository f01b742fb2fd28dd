/**
 * Where a start's files are: at one real path, however HOME is written, and where everyone of the namespace
 * may go through, since a server may become another user.
 */
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect } from "vitest";
import { skipUnless } from "../support/needs.ts";
import { pack, userStrategy } from "../support/packed.ts";
import { asUser, ordinaryUser, run } from "../support/process.ts";
import { compile } from "../support/process-state.ts";
import { startsOf } from "../support/start.ts";
import { temporaryDirectory, userDirectory } from "../support/temporary.ts";

const { uid, gid } = ordinaryUser();
/** What an app finds of itself, and which name the kernel has for it. */
const self =
  '#!/bin/sh\ncd "$FUSELAGE_BUNDLE_DIR" && here=$(pwd -P) && echo "$0" "$FUSELAGE_BUNDLE_DIR" "$here" && cd "$FUSELAGE_TMPDIR" && pwd -P && echo "$FUSELAGE_TMPDIR"\n';

let file: string;
beforeAll(async () => {
  file = await pack({ run: self });
});

describe("the path is the real one", () => {
  /** Makes a folder that is written in another way, of the user's. @returns how */
  const homes: [title: string, make: (dir: string) => string][] = [
    [
      "HOME behind a link",
      (dir) => {
        mkdirSync(path.join(dir, "var/home"), { recursive: true });
        symlinkSync("var/home", path.join(dir, "home"));
        return path.join(dir, "home");
      },
    ],
    [
      "HOME that is a link",
      (dir) => {
        mkdirSync(path.join(dir, "real"));
        symlinkSync(path.join(dir, "real"), path.join(dir, "link"));
        return path.join(dir, "link");
      },
    ],
    ["HOME with a slash at its end", (dir) => `${dir}/`],
    [
      "HOME with slashes and dots in it",
      (dir) => {
        mkdirSync(path.join(dir, "x"));
        mkdirSync(path.join(dir, "home"));
        return `${dir}//./x/../home`;
      },
    ],
    [
      "HOME so deep that no socket has room",
      (dir) => {
        const deep = path.join(dir, ...Array.from({ length: 12 }, () => "a-long-name-of-a-folder"));
        mkdirSync(deep, { recursive: true });
        return deep;
      },
    ],
  ];
  for (const [title, make] of homes) {
    for (const forced of [false, true]) {
      skipUnless("root", "userns")(`${title}${forced ? ", as FUSELAGE_HOME" : ""}`, async () => {
        const dir = userDirectory();
        const home = make(dir);
        await run("chown", ["-R", `${uid}:${gid}`, dir]);
        const env = forced ? { FUSELAGE_HOME: path.join(home, "f") } : {};
        const { stdout, stderr, status } = await asUser(file, [], home, { env });
        expect({ stderr, status }).toEqual({ stderr: "", status: 0 });
        const [own = "", tmp, alsoTmp] = stdout.trim().split("\n");
        const [program, named, real] = own.split(" ");
        expect({ program, named, tmp }).toEqual({
          program: `${real}/run`,
          named: real,
          tmp: alsoTmp,
        });
        if (!forced) {
          expect(own.startsWith(`${startsOf({ root: false, strategy: userStrategy() })}/`)).toBe(
            true,
          );
          expect(`${tmp}/.s.PGSQL.5432`.length).toBeLessThan(64);
        }
      });
    }
  }
});

describe("a server that root starts and that becomes a user", () => {
  /** No other test has one like it. */
  const server = `#!/bin/sh\n# ${process.pid} ${Date.now()}\nexec setpriv --reuid=${uid} --regid=${gid} --clear-groups cat "$FUSELAGE_BUNDLE_DIR/data/public" "$FUSELAGE_STATIC/app/data/public"\n`;
  const files = { run: server, "data/public": "served\n" };
  let bundle: string;
  let secret: string;
  let refuse: string;
  const cache = "/var/cache/fuselage/cache";
  /** Keys of what these starts have put there; other tests' starts do at the same time. */
  const ownKeys = () =>
    (existsSync(cache) ? readdirSync(cache) : [])
      .filter((name) => name.endsWith(".tree"))
      .filter((name) => {
        try {
          return readFileSync(path.join(cache, name, "files/run"), "utf8") === server;
        } catch {
          return false; // Of an app without it, or it is being removed.
        }
      })
      .map((name) => path.basename(name, ".tree"));
  beforeAll(async () => {
    bundle = await pack(files);
    secret = await pack({ ...files, "data/more": "x\n" });
    chmodSync(secret, 0o700);
    refuse = compile("support/refuse-calls.c");
  });
  afterAll(() => {
    for (const key of ownKeys()) {
      for (const ending of ["tree", "lock"])
        rmSync(path.join(cache, `${key}.${ending}`), { recursive: true, force: true });
    }
  });
  /** Root's home lets nobody in, as it is. */
  const home = () => {
    const dir = path.join(temporaryDirectory(), "root");
    mkdirSync(dir, { mode: 0o700 });
    return dir;
  };
  const served = { stdout: "served\nserved\n", status: 0 };

  for (const strategy of ["loop", "fuse", "extract"] as const) {
    const needs = strategy === "extract" ? [] : ([strategy] as const);
    skipUnless("root", ...needs)(`reads its files by ${strategy}`, async () => {
      const env = { HOME: home(), FUSELAGE_MOUNT: strategy };
      expect(await run(bundle, [], { env })).toMatchObject(served);
    });
  }

  skipUnless(
    "root",
    "fuse",
    "fusermount",
  )("reads its files by fusermount", async () => {
    const env = { HOME: home(), FUSELAGE_MOUNT: "fusermount" };
    expect(await run(bundle, [], { env })).toMatchObject(served);
  });

  skipUnless("root", "gcc")(
    "reads its files from the disk, where nothing may be mounted",
    async () => {
      const env = { HOME: home(), FUSELAGE_MOUNT: "extract" };
      expect(await run(refuse, ["0", "0", bundle], { env })).toMatchObject(served);
      // Again, from the tree that is there.
      expect(await run(refuse, ["0", "0", bundle], { env })).toMatchObject(served);
      expect(statSync(cache).mode & 0o777).toBe(0o711);
    },
  );

  skipUnless("root", "gcc")(
    "of a file that only root may read, nobody else reads a copy",
    async () => {
      const env = { HOME: home(), FUSELAGE_MOUNT: "extract" };
      const { status, stdout, stderr } = await run(refuse, ["0", "0", secret], { env });
      expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
      expect(stderr).toContain("Permission denied");
    },
  );

  for (const [title, own, other] of [
    ["only root may read", 0o700, 0o755],
    ["everybody may read", 0o755, 0o700],
  ] as const) {
    skipUnless("root", "gcc")(
      `of a file that ${title} the copy is so, whatever has its name by then`,
      async () => {
        const dir = temporaryDirectory();
        const started = await pack({ ...files, "data/more": `${own}\n` });
        chmodSync(started, own);
        // What the kernel calls a file that has no name.
        const decoy = `${started} (deleted)`;
        copyFileSync(bundle, decoy);
        chmodSync(decoy, other);
        const script = 'exec 3<"$1"; rm "$1"; exec "$0" 0 0 /proc/self/fd/3';
        const env = { HOME: home(), FUSELAGE_MOUNT: "extract" };
        const words = ["-c", script, refuse, started];
        const { status, stdout, stderr } = await run("sh", words, { cwd: dir, env });
        if (own === 0o755) expect({ status, stdout }).toEqual(served);
        else {
          expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
          expect(stderr).toContain("Permission denied");
        }
      },
    );
  }
});

describe("what cleans up in /tmp", () => {
  skipUnless("root", "userns")("finds a sticky file that keeps the folder of mounts", async () => {
    expect((await asUser(file, [], userDirectory())).status).toBe(0);
    const { mode } = statSync(
      path.join(startsOf({ root: false, strategy: userStrategy() }), ".keep"),
    );
    expect(mode & 0o7777).toBe(0o1600);
  });
});
