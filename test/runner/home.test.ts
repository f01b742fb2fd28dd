/** Specification, "Directory layout", "Environment variables" and what "Error handling" says of ~/.fuselage. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect } from "vitest";
import { printed } from "../support/bundle-of.ts";
import { ordinaryUser, run } from "../support/process.ts";
import {
  ask,
  asOrdinary,
  checkOf,
  fixedPath,
  homeOf,
  imageOf,
  refused,
  runnerOf,
  ways,
} from "../support/runner.ts";
import { startsOf } from "../support/start.ts";
import { temporaryDirectory, userDirectory } from "../support/temporary.ts";

let image: string;
beforeAll(async () => {
  image = await imageOf();
});

/** What a start leaves, but what it has learned: a FUSE server writes that when it is quiet. */
const keptIn = (dir: string) => readdirSync(dir).filter((name) => name !== "starts");

describe.each(ways)("$title", (way) => {
  const check = checkOf(way);
  const environment = async (args: string[], home: string) => {
    const script = "echo $$; env | grep ^FUSELAGE_ | grep -v LINGER | sort";
    const [pid, ...lines] = (await ask(way, [...args, "sh", "-c", script], home))
      .trim()
      .split("\n");
    // A setuid-root start with a fixed path is an ordinary user's.
    const places = [startsOf(way), startsOf(asOrdinary)];
    return lines.map((line) =>
      places.reduce((text, place) => text.replace(`${place}/${pid}/`, "PROCDIR/"), line),
    );
  };
  const tmpdir = "FUSELAGE_TMPDIR=PROCDIR/tmp";
  const dynamic = "FUSELAGE_DYNAMIC=PROCDIR/dynamic";

  const sets: [string, () => string[], string[]][] = [
    ["nothing", () => [], [tmpdir]],
    ["--dynamic", () => ["-d", image], [dynamic, tmpdir]],
    ["--dynamic-empty", () => ["--dynamic-empty=e"], [dynamic, tmpdir]],
    ["--static", () => ["-s", image], ["FUSELAGE_STATIC=PROCDIR/static", tmpdir]],
    ["a fixed path", () => ["-s", `${fixedPath()}:${image}`], [tmpdir]],
    ["a fixed --dynamic", () => ["-d", `${fixedPath()}:${image}`], [tmpdir]],
    ["a fixed --dynamic-empty", () => [`--dynamic-empty=${fixedPath()}`], [tmpdir]],
  ];
  for (const [title, args, expected] of sets) {
    check(`variables with ${title}: ${expected.join(" ")}`, async () => {
      expect(await environment(args(), homeOf(way))).toEqual(expected);
    });
  }

  check("the variables are inherited by child processes", async () => {
    const script = "sh -c 'sh -c \"echo \\$FUSELAGE_TMPDIR\"'";
    expect(await ask(way, ["sh", "-c", script])).toMatch(/\/\.?fuselage-(starts|\d+)\/\d+\/tmp\n$/);
  });

  check("~/.fuselage is created with mode 0700, whatever the umask", async () => {
    for (const umask of ["000", "022", "777"]) {
      const home = homeOf(way);
      const outcome = await run(
        "sh",
        ["-c", `umask ${umask}; exec "$0" "$@"`, runnerOf(way), "sh", "-c", "umask"],
        { env: { HOME: home }, ...(way.root ? {} : ordinaryUser()) },
      );
      expect(printed(outcome)).toBe(`0${umask}\n`);
      const { mode, uid } = statSync(path.join(home, ".fuselage"));
      expect(mode & 0o7777).toBe(0o700);
      expect(uid).toBe(way.root ? 0 : ordinaryUser().uid);
      const starts = startsOf(way);
      expect(readlinkSync(path.join(home, ".fuselage/procdirs"))).toBe(starts);
      expect(statSync(starts).mode & 0o777).toBe(way.root || way.setuid ? 0o755 : 0o700);
    }
  });

  check(
    "procdirs/<pid>/ leads to a tmpfs with tmp, dynamic and static; outside it is empty",
    async () => {
      const home = homeOf(way);
      const script = `cd "$HOME/.fuselage/procdirs/$$" && stat -f -c %T . && ls -d tmp dynamic static; echo $$`;
      const args = ["-s", image, "-d", image.replace(/^/, "d:"), "sh", "-c", script];
      const [pid, ...lines] = (await ask(way, args, home)).trim().split("\n").reverse();
      expect(lines.reverse()).toEqual(["tmpfs", "dynamic", "static", "tmp"]);
      expect(keptIn(path.join(home, ".fuselage"))).toEqual(["procdirs"]);
      expect(readdirSync(path.join(home, ".fuselage/procdirs"))).not.toContain(pid);
    },
  );

  check("$FUSELAGE_TMPDIR is the caller's alone, mode 0700", async () => {
    const script = '[ -O "$FUSELAGE_TMPDIR" ] && stat -c %a "$FUSELAGE_TMPDIR"';
    expect(await ask(way, ["sh", "-c", script])).toBe("700\n");
  });

  check("FUSELAGE_HOME instead of ~/.fuselage", async () => {
    const home = homeOf(way);
    const dir = path.join(homeOf(way), "else where, with: signs");
    const out = await ask(
      way,
      ["-d", `a:${image}`, "sh", "-c", 'echo "$FUSELAGE_TMPDIR"; cat "$FUSELAGE_DYNAMIC/a/file"'],
      home,
      { env: { FUSELAGE_HOME: dir } },
    );
    const [tmp, content] = out.split("\n");
    expect(tmp?.startsWith(`${startsOf(way, dir)}/`)).toBe(true);
    expect(keptIn(dir)).toEqual(["procdirs"]);
    expect(content).toBe("packed");
    expect(statSync(dir).mode & 0o777).toBe(0o700);
    expect(readdirSync(home)).toEqual([]);
  });

  check("FUSELAGE_HOME that cannot be used is refused, not replaced", async () => {
    for (const dir of ["/no/such/folder", "/dev/null/x", "relative"]) {
      const home = homeOf(way);
      const env = { FUSELAGE_HOME: dir };
      const { status, code } = await refused(way, ["true"], home, { env });
      expect({ dir, status, code }).toEqual({ dir, status: 125, code: "E_HOME_UNUSABLE" });
      expect(readdirSync(home)).toEqual([]);
    }
  });

  check(
    "FUSELAGE_HOME that is no place for it is refused in words, empty is as if it were not set",
    async () => {
      const home = homeOf(way);
      const file = path.join(home, "file");
      writeFileSync(file, "");
      symlinkSync("loop", path.join(home, "loop"));
      const long = "n".repeat(256);
      const unusable: [string, string][] = [
        ["relative", "relative: expected an absolute path"],
        ["./a/../b", "./a/../b: expected an absolute path"],
        [file, `${file}: File exists`],
        [`${file}/below`, `${file}: Not a directory`],
        [`${home}/loop`, `${home}/loop: File exists`],
        [`${home}/loop/below`, `${home}/loop: `],
        [`${home}/${long}`, ": File"],
        [`/${"a/".repeat(2100)}b`, ": File"],
        ["/proc/new", "/proc/new: "],
      ];
      for (const [dir, words] of unusable) {
        const { status, code, stderr } = await refused(way, ["true"], home, {
          env: { FUSELAGE_HOME: dir },
        });
        expect({ dir, status, code }).toEqual({ dir, status: 125, code: "E_HOME_UNUSABLE" });
        expect(stderr).toContain(words);
        expect(stderr).not.toContain("descriptor");
      }
      expect(await ask(way, ["echo", "started"], home, { env: { FUSELAGE_HOME: "" } })).toBe(
        "started\n",
      );
    },
  );

  const uid = way.root ? 0 : ordinaryUser().uid;
  const last = way.root ? "/var/cache/fuselage" : `/tmp/fuselage-${uid}`;
  check(`without HOME: $XDG_RUNTIME_DIR/fuselage, then ${last}`, async () => {
    const dir = homeOf(way);
    const at = async (env: Record<string, string | undefined>) =>
      ask(way, ["sh", "-c", 'echo "$FUSELAGE_TMPDIR"'], homeOf(way), { env });
    for (const home of [undefined, "", "/nonexistent", "/dev/null", "relative"]) {
      const out = await at({ HOME: home, XDG_RUNTIME_DIR: dir });
      expect(out).toMatch(new RegExp(`^${startsOf(way)}/\\d+/tmp\\n$`));
      expect(readdirSync(`${dir}/fuselage`)).toEqual(["procdirs"]);
    }
    const out = await at({ HOME: undefined, XDG_RUNTIME_DIR: undefined });
    expect(out).toMatch(new RegExp(`^${startsOf(way)}/\\d+/tmp\\n$`));
    expect(existsSync(last)).toBe(true);
  });

  checkOf(way, "root")("a read-only HOME falls back too", async () => {
    const home = homeOf(way);
    const runtime = homeOf(way);
    const drop = way.root ? "" : "exec setpriv --reuid 1000 --regid 1000 --clear-groups";
    const script = `mount --bind "$HOME" "$HOME" && mount -o remount,bind,ro "$HOME" && ${drop} "$0" "$@"`;
    const args = ["-m", "sh", "-c", script, runnerOf(way), "sh", "-c", 'echo "$FUSELAGE_TMPDIR"'];
    const env = { HOME: home, XDG_RUNTIME_DIR: runtime };
    const out = printed(await run("unshare", args, { env }));
    expect(out).toMatch(new RegExp(`^${startsOf(way)}/\\d+/tmp\\n$`));
    expect(readdirSync(`${runtime}/fuselage`)).toEqual(["procdirs"]);
  });

  /** A start whose home is passed over: XDG_RUNTIME_DIR has its caches. */
  const passesOver = async (home: string) => {
    const runtime = homeOf(way);
    const env = { XDG_RUNTIME_DIR: runtime };
    expect(await ask(way, ["echo", "started"], home, { env })).toBe("started\n");
    expect(readdirSync(`${runtime}/fuselage`)).toEqual(["procdirs"]);
    const forced = { FUSELAGE_HOME: path.join(home, ".fuselage") };
    return refused(way, ["true"], home, { env: forced });
  };

  checkOf(way, "root")("~/.fuselage of another owner is passed over", async () => {
    const home = homeOf(way);
    const dir = path.join(home, ".fuselage");
    mkdirSync(dir);
    if (way.root) await run("chown", ["1000:1000", dir]);
    const { status, code, stderr } = await passesOver(home);
    expect({ status, code }).toEqual({ status: 125, code: "E_HOME_UNUSABLE" });
    expect(stderr).toMatch(new RegExp(`expected a directory of user ${uid}, found one of another`));
    expect(readdirSync(dir)).toEqual([]);
  });

  check("~/.fuselage that is a symlink, a file or a dangling link is passed over", async () => {
    const elsewhere = homeOf(way);
    const made: ((place: string) => void)[] = [
      (place) => symlinkSync(elsewhere, place),
      (place) => symlinkSync("/nonexistent", place),
      (place) => writeFileSync(place, "mine"),
    ];
    for (const make of made) {
      const home = homeOf(way);
      make(path.join(home, ".fuselage"));
      expect(await passesOver(home)).toMatchObject({ status: 125, code: "E_HOME_UNUSABLE" });
    }
    expect(readdirSync(elsewhere)).toEqual([]);
  });

  check("an earlier ~/.fuselage is used again, with what is in it", async () => {
    const home = homeOf(way);
    await ask(way, ["true"], home);
    const mine = path.join(home, ".fuselage/mine");
    writeFileSync(mine, "kept");
    await ask(way, ["-d", image, "true"], home);
    expect(existsSync(mine)).toBe(true);
  });

  check("a home with every sign that separates options somewhere", async () => {
    const home = path.join(way.root ? temporaryDirectory() : userDirectory(), "a,b:c=d\\e f\n'\"");
    mkdirSync(home);
    await run("chown", way.root ? ["0:0", home] : ["1000:1000", home]);
    const script =
      'cat "$FUSELAGE_STATIC/a/file" "$FUSELAGE_DYNAMIC/b/file" && echo x > "$FUSELAGE_DYNAMIC/b/file"';
    const args = ["-s", `a:${image}`, "-d", `b:${image}`, "sh", "-c", script];
    expect(await ask(way, args, home)).toBe("packed\npacked\n");
  });

  check("a home that nobody else may enter", async () => {
    const home = homeOf(way);
    chmodSync(home, 0o700);
    expect(
      await ask(way, ["-d", `a:${image}`, "sh", "-c", 'cat "$FUSELAGE_DYNAMIC/a/file"'], home),
    ).toBe("packed\n");
  });
});
