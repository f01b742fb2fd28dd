/** A setuid-root runner in the hands of uid 1000: files, places and names that are root's. */
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect } from "vitest";
import { nothing } from "../support/leftovers.ts";
import { asUser, type Outcome, ordinaryUser, run } from "../support/process.ts";
import {
  ask,
  checkOf,
  fixedPath,
  imageOf,
  refused,
  sample,
  start,
  watch,
  setuidRoot as way,
} from "../support/runner.ts";
import { temporaryDirectory, userDirectory } from "../support/temporary.ts";
import { makeZip } from "../support/zip.ts";

const STARTS = 200;
const marker = "for root's eyes only";

const check = checkOf(way);
const { uid, gid } = ordinaryUser();

let image: string;
/** An image, a zip file and a text of root's, mode 0600, in a folder that everyone may enter. */
let secrets: string[];
beforeAll(async () => {
  image = await imageOf();
  const dir = temporaryDirectory();
  secrets = ["secret.sfs", "secret.zip", "secret.txt"].map((name) => path.join(dir, name));
  copyFileSync(await imageOf({ ...sample, file: marker }), secrets[0] as string);
  writeFileSync(secrets[1] as string, makeZip([{ name: "file", content: marker }]));
  writeFileSync(secrets[2] as string, `${marker}\n`);
  for (const file of secrets) chmodSync(file, 0o600);
});

const show = ["sh", "-c", 'cat "$FUSELAGE_STATIC/a/file"'];

/** A folder of root's that everyone may write to: what is made there was allowed to be. */
function rootDirectory(mode: number): string {
  const dir = temporaryDirectory();
  chmodSync(dir, mode);
  return dir;
}

/** Exchanges two names as fast as it goes, as the user, until it is killed. */
async function swap(script: string, ...args: string[]): Promise<ChildProcess> {
  const loop = `import ctypes, os, sys, time\na = sys.argv[1:]\nlibc = ctypes.CDLL(None)\nprint("up", flush=True)\nwhile True:\n${script}`;
  const child = spawn("/usr/bin/python3", ["-c", loop, ...args], {
    uid,
    gid,
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(child.stdout, "data");
  return child;
}

/** Starts many times, eight at once. */
async function startMany(args: string[], home: string): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  const worker = async () => {
    for (let i = 0; i < STARTS / 8; i++) outcomes.push(await start(way, args, home));
  };
  await Promise.all(Array.from({ length: 8 }, worker));
  return outcomes;
}

describe("an archive that the caller may not read", () => {
  for (const option of ["--static", "--dynamic"]) {
    check(`${option}: refused with EACCES, and nothing of its content is told`, async () => {
      for (const file of [...secrets, "/etc/shadow"]) {
        const outcome = await refused(way, [`${option}=a:${file}`, ...show]);
        expect(outcome).toMatchObject({ status: 125, code: "E_ARCHIVE_OPEN", stdout: "" });
        expect(outcome.stderr).toMatch(/Permission denied/);
        expect(outcome.stderr).not.toContain(marker);
        expect(outcome.stderr).not.toContain("root:");
      }
    });
  }

  check("through a link of the caller's, --run, --cache-static and a fixed path", async () => {
    const home = userDirectory();
    for (const [index, file] of secrets.entries()) {
      const link = path.join(home, `link-${index}`);
      symlinkSync(file, link);
      const forms = [
        ["-s", `a:${link}`, ...show],
        ["-s", `a:${link}`, "--run", "bin/say"],
        ["--cache-static", "-s", `a:${link}`, ...show],
        ["-s", `${fixedPath()}:${link}`, "true"],
        ["-s", `a:${home}/../${path.basename(home)}/link-${index}`, ...show],
      ];
      for (const form of forms) {
        const outcome = await refused(way, form, home);
        expect(outcome).toMatchObject({ status: 125, code: "E_ARCHIVE_OPEN", stdout: "" });
        expect(outcome.stderr).not.toContain(marker);
      }
    }
    expect(existsSync(path.join(home, ".fuselage"))).toBe(false);
  });

  check(
    "in a folder that the caller may not enter, not even whether it exists is told",
    async () => {
      const dir = rootDirectory(0o700);
      writeFileSync(path.join(dir, "there"), marker);
      const say = async (name: string) => {
        const { stderr, ...rest } = await refused(way, ["-s", `a:${dir}/${name}`, ...show]);
        return { ...rest, stderr: stderr.replace(name, "NAME") };
      };
      expect(await say("there")).toEqual(await say("none"));
    },
  );

  check(
    `swapped between check and use, ${STARTS} times: what is mounted is the caller's`,
    async () => {
      const home = userDirectory();
      const mine = path.join(home, "mine.sfs");
      copyFileSync(image, mine);
      const current = path.join(home, "current.sfs");
      symlinkSync(mine, current);
      const loop = `
    for target in a[1:3]:
        os.symlink(target, a[0] + ".new")
        os.rename(a[0] + ".new", a[0])`;
      const left = watch(way, home, [home, ...secrets]);
      const swapper = await swap(loop, current, mine, secrets[0] as string);
      const outcomes = await startMany(["-s", `a:${current}`, ...show], home).finally(() =>
        swapper.kill("SIGKILL"),
      );
      const kinds = outcomes.map(({ status, stdout, stderr }) => {
        if (status === 0 && stdout === "packed\n") return "mine";
        if (status === 125 && stdout === "" && /E_ARCHIVE_OPEN.*Permission denied/.test(stderr)) {
          return "refused";
        }
        return `${status} ${stdout} ${stderr}`;
      });
      expect(new Set(kinds)).toEqual(new Set(["mine", "refused"]));
      expect(await left()).toEqual(nothing);
    },
  );
});

describe("places that lead to root's", () => {
  const fresh = (...parts: string[]) => {
    const home = userDirectory();
    let dir = home;
    for (const part of parts.slice(0, -1)) {
      dir = path.join(dir, part);
      mkdirSync(dir);
    }
    return { home, link: path.join(dir, parts.at(-1) as string) };
  };
  const own = (home: string) => run("chown", ["-R", "-h", `${uid}:${gid}`, home]);

  for (const mode of [0o755, 0o777]) {
    for (const parts of [[".fuselage"], [".fuselage", "procdirs"]]) {
      check(
        `~/${parts.join("/")} is a symlink to a folder of mode ${mode.toString(8)}`,
        async () => {
          const target = rootDirectory(mode);
          const { home, link } = fresh(...parts);
          symlinkSync(target, link);
          await own(home);
          const outcome = await refused(way, ["-s", `a:${image}`, ...show], home);
          // Mounts are made elsewhere, and a home that leads away is passed over.
          expect(outcome).toMatchObject({ status: 0, stdout: "packed\n" });
          expect(readdirSync(target)).toEqual([]);
        },
      );
    }

    check(`~/.fuselage/cache is a symlink to a folder of mode ${mode.toString(8)}`, async () => {
      const target = rootDirectory(mode);
      const { home, link } = fresh(".fuselage", "cache");
      symlinkSync(target, link);
      await own(home);
      const zip = path.join(home, "a.zip");
      writeFileSync(zip, makeZip([{ name: "file", content: "zipped\n" }]));
      const outcome = await refused(way, ["--cache-static", "-s", `a:${zip}`, ...show], home);
      expect(outcome).toMatchObject({ status: 125, code: "E_CACHE", stdout: "" });
      expect(readdirSync(target)).toEqual([]);
    });
  }

  check("cache entries that are links to root's files are neither read nor touched", async () => {
    const home = userDirectory();
    const zip = path.join(home, "a.zip");
    writeFileSync(zip, makeZip([{ name: "file", content: "zipped\n" }]));
    const args = ["--cache-static", "-s", `a:${zip}`, ...show];
    expect(await ask(way, args, home)).toBe("zipped\n");
    const cache = path.join(home, ".fuselage/cache");
    const entry = readdirSync(cache).find((name) => name.endsWith(".sfs")) as string;
    renameSync(path.join(cache, entry), path.join(home, "kept"));
    symlinkSync(secrets[0] as string, path.join(cache, entry));
    await own(home);
    const before = readFileSync(secrets[0] as string);
    const { status, stdout, stderr } = await start(way, args, home);
    expect(`${stdout}${stderr}`).not.toContain(marker);
    expect([0, 125]).toContain(status);
    expect(readFileSync(secrets[0] as string)).toEqual(before);
  });

  check("a HOME of root's is not used, nor one with root's ~/.fuselage", async () => {
    const home = rootDirectory(0o755);
    const runtime = userDirectory();
    const env = { HOME: home, XDG_RUNTIME_DIR: runtime };
    const out = await ask(way, ["sh", "-c", 'echo "$FUSELAGE_TMPDIR"'], home, { env });
    expect(out.startsWith("/run/fuselage-starts/")).toBe(true);
    expect(readdirSync(`${runtime}/fuselage`)).toEqual(["procdirs"]);
    expect(readdirSync(home)).toEqual([]);
    mkdirSync(path.join(home, ".fuselage"));
    await ask(way, ["true"], home, { env });
    expect(readdirSync(path.join(home, ".fuselage"))).toEqual([]);
  });

  check("FUSELAGE_HOME, XDG_RUNTIME_DIR and TMPDIR of root's get nothing", async () => {
    for (const mode of [0o700, 0o755, 0o777]) {
      const target = rootDirectory(mode);
      const forced = await refused(way, ["true"], undefined, { env: { FUSELAGE_HOME: target } });
      expect(forced).toMatchObject({ status: 125, code: "E_HOME_UNUSABLE", stdout: "" });
      const env = { HOME: undefined, XDG_RUNTIME_DIR: path.join(target, "no"), TMPDIR: target };
      const args = ["-d", `a:${image}`, "sh", "-c", 'cat "$FUSELAGE_DYNAMIC/a/file"'];
      expect(await ask(way, args, undefined, { env })).toBe("packed\n");
      expect(readdirSync(target)).toEqual([]);
    }
  });

  for (const name of [".fuselage", ".fuselage/procdirs"]) {
    check(`~/${name} becomes a link to root's between the check and the mount`, async () => {
      const home = userDirectory();
      const target = rootDirectory(0o755);
      const below = name === ".fuselage" ? path.join(target, "procdirs") : target;
      mkdirSync(below, { recursive: true });
      const kept = path.join(below, "kept");
      writeFileSync(kept, "kept\n");
      const zip = path.join(home, "a.zip");
      const bytes = makeZip([{ name: "file", content: "zipped\n" }]);
      writeFileSync(zip, bytes);
      // A start waits for the lock of its cache entry, which stands between the two.
      const key = createHash("sha256").update(bytes).digest("hex").slice(0, 16);
      const lock = path.join(home, ".fuselage/cache", `${key}.lock`);
      mkdirSync(path.dirname(lock), { recursive: true, mode: 0o700 });
      mkdirSync(path.join(home, ".fuselage/procdirs"));
      writeFileSync(lock, "");
      await own(home);
      const holder = spawn("flock", [lock, "sh", "-c", "echo held; read line"], { uid, gid });
      await once(holder.stdout, "data");
      // A start that waits has the lock's file open, and can do nothing else.
      const count = `find /proc/[0-9]*/fd -lname "$0" 2>/dev/null | wc -l`;
      const opened = async () => Number((await run("sh", ["-c", count, lock])).stdout);
      const held = await opened();
      const outcome = start(way, ["--cache-static", "-s", `a:${zip}`, "cat", kept], home);
      await expect.poll(opened).toBeGreaterThan(held);
      renameSync(path.join(home, name), path.join(home, "aside"));
      symlinkSync(target, path.join(home, name));
      holder.stdin.end();
      const { status, stdout } = await outcome;
      expect({ status, stdout }).toEqual({ status: 0, stdout: "kept\n" }); // Not covered.
      expect(readdirSync(below)).toEqual(["kept"]);
    });
  }

  check(`~/.fuselage and procdirs swapped for links to root's, ${STARTS} times`, async () => {
    for (const name of [".fuselage", ".fuselage/procdirs"]) {
      const home = userDirectory();
      const target = rootDirectory(0o755);
      mkdirSync(path.join(target, "procdirs"));
      const kept = path.join(target, "procdirs/marker");
      writeFileSync(kept, "kept\n");
      await ask(way, ["true"], home);
      const link = path.join(home, "link");
      symlinkSync(target, link);
      const loop = `
    for i in 1, 2: libc.renameat2(-100, a[0].encode(), -100, a[1].encode(), 2) # RENAME_EXCHANGE
    time.sleep(0.0005)`;
      const swapper = await swap(loop, path.join(home, name), link);
      const args = ["-s", `a:${image}`, "-d", `d:${image}`, "cat", kept];
      const outcomes = await startMany(args, home).finally(() => swapper.kill("SIGKILL"));
      const kinds = outcomes.map(
        ({ status, stdout, stderr }) =>
          `${status} ${stdout}${/^fuselage: (\S+)/.exec(stderr)?.[1] ?? stderr}`,
      );
      // A tmpfs of the caller's over a folder of root's would hide it from set-id programs.
      const clean = ["0 kept\n", "125 [E_HOME_UNUSABLE]", "125 [E_MOUNT_REFUSED]"];
      expect(kinds.filter((kind) => !clean.includes(kind))).toEqual([]);
      expect(kinds).toContain("0 kept\n");
      const found = await run("find", [target, "-mindepth", "1"]);
      expect(found.stdout).toBe(`${target}/procdirs\n${kept}\n`);
    }
  });
});

describe("the environment", () => {
  checkOf(way, "gcc")("LD_PRELOAD, LD_AUDIT and LD_LIBRARY_PATH never run as root", async () => {
    const dir = userDirectory();
    const source = path.join(dir, "evil.c");
    writeFileSync(
      source,
      `#include <stdio.h>
       #include <unistd.h>
       unsigned la_version(unsigned v) { return v; }
       __attribute__((constructor)) static void note(void) {
         FILE *f = fopen("${dir}/note", "a");
         uid_t r, e, s; getresuid(&r, &e, &s);
         if (f) { fprintf(f, "%u %u %u\\n", r, e, s); fclose(f); } }`,
    );
    const library = path.join(dir, "libc.so.6");
    await run("gcc", ["-shared", "-fPIC", "-D_GNU_SOURCE", "-o", library, source]);
    const env = { LD_PRELOAD: library, LD_AUDIT: library };
    const own = await start(way, ["-s", `a:${image}`, "id", "-u"], undefined, { env });
    expect(own.stdout).toBe(`${uid}\n`);
    const notes = readFileSync(path.join(dir, "note"), "utf8").trim().split("\n");
    // Loaded by the command, which is the caller's own business, and by nothing before it.
    expect(new Set(notes)).toEqual(new Set([`${uid} ${uid} ${uid}`]));
    const direct = await asUser("env", ["id", "-u"], dir, { env: { LD_LIBRARY_PATH: dir } });
    const path_ = await start(way, ["id", "-u"], undefined, { env: { LD_LIBRARY_PATH: dir } });
    expect(path_.status).toBe(direct.status);
  });

  check(
    "FUSELAGE_DEBUG, FUSELAGE_MOUNT and the cache's age take no files and no rights",
    async () => {
      for (const value of ["1", "/etc/shadow", "%s%n", "x".repeat(100_000)]) {
        const env = { FUSELAGE_DEBUG: value };
        const line = ["-s", `a:${image}`, ...show];
        if (value === "1") expect(await ask(way, line, undefined, { env })).toBe("packed\n");
        else {
          const debug = await refused(way, line, undefined, { env });
          expect(debug).toMatchObject({ status: 125, code: "E_VARIABLE", stdout: "" });
          const aged = { env: { FUSELAGE_CACHE_MAX_AGE_DAYS: value } };
          const days = await refused(way, ["-s", `a:${image}`, ...show], undefined, aged);
          expect(days).toMatchObject({ status: 125, code: "E_VARIABLE", stdout: "" });
        }
        const mount = await refused(way, ["true"], undefined, { env: { FUSELAGE_MOUNT: value } });
        expect(mount).toMatchObject({ status: 125, code: "E_MOUNT_OPTION", stdout: "" });
      }
    },
  );
});
