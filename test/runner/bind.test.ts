/** `--bind NAME/DIR=PATH`: a folder of an archive at a path of its own, the host around it. */
import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import path from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { nothing } from "../support/leftovers.ts";
import { skipUnless } from "../support/needs.ts";
import { ordinaryUser, root, run } from "../support/process.ts";
import {
  ask,
  asOrdinary,
  asRoot,
  checkOf,
  hold,
  homeOf,
  imageOf,
  refused,
  runnerOf,
  setuidRoot,
  start,
  watch,
} from "../support/runner.ts";
import { startsOf } from "../support/start.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const files = {
  "lib/data": "packed\n",
  "lib/deep/more": "deep\n",
  "bin/say": '#!/bin/sh\necho "said $0"\n',
  plain: "no folder\n",
  toLib: { link: "lib" },
};

let image: string;
let other: string;
beforeAll(async () => {
  image = await imageOf(files);
  other = await imageOf({ "lib/data": "other\n" });
});

/** A name that no machine has. */
let count = 0;
const newName = () => `fuselage-bind-${process.pid}-${count++}`;

const app = () => `--static=app:${image}`;
const sh = (script: string) => ["--", "sh", "-c", script];

/** A folder of the host with an entry of every kind that can be made here, of the caller's. */
function hostFolder(uid: number): string {
  const dir = path.join(temporaryDirectory(), "host");
  mkdirSync(path.join(dir, "below/sub"), { recursive: true });
  mkdirSync(path.join(dir, ".hidden"));
  writeFileSync(path.join(dir, "own"), "host\n");
  writeFileSync(path.join(dir, "odd name \\ :,="), "odd\n");
  symlinkSync("below/sub", path.join(dir, "relative"));
  symlinkSync("/etc/passwd", path.join(dir, "absolute"));
  symlinkSync("nowhere", path.join(dir, "dangling"));
  writeFileSync(path.join(dir, "roots"), "root's\n", { mode: 0o444 });
  spawnSync("mkfifo", [path.join(dir, "fifo")]);
  for (const name of ["below", "below/sub", ".hidden", "own"]) {
    chownSync(path.join(dir, name), uid, uid);
  }
  return dir;
}

describe.each([asRoot, asOrdinary])("$title", (way) => {
  const check = checkOf(way);
  const uid = () => (way.root ? 0 : ordinaryUser().uid);

  check("appears at paths that exist in part, or not at all", async () => {
    const [top, deep] = [`/${newName()}`, `/usr/share/${newName()}`];
    const places = [
      `/opt/${newName()}`,
      `/usr/lib/${newName()}`,
      `${top}/b/c`,
      `/${newName()}`,
      `${deep}/a/b`,
      `/etc/${newName()}`,
      `/var/lib/${newName()}/x`,
      `/run/${newName()}`,
      `/home/${newName()}/app`,
    ];
    for (const place of places) {
      const script = `cat ${place}/data ${place}/deep/more; LC_ALL=C touch ${place}/new; pwd`;
      const outcome = await start(way, [app(), "--bind", `app/lib=${place}`, ...sh(script)]);
      expect({ place, stdout: outcome.stdout }).toEqual({
        place,
        stdout: `packed\ndeep\n${process.cwd()}\n`,
      });
      expect(outcome.stderr).toContain("Read-only file system");
      expect(existsSync(place)).toBe(false);
    }
    expect(existsSync(top) || existsSync(deep)).toBe(false);
  });

  check("several at once, in one folder, in new ones and in each other's folders", async () => {
    const host = hostFolder(uid());
    const top = `/${newName()}`;
    const places = [
      `${host}/one`,
      `${host}/two/three`,
      `${host}/two/four`,
      `${host}/below/sub/five`,
      `${host}/below/six`,
      `${top}/seven`,
      `${top}/eight`,
      `/${newName()}`,
      `/opt/${newName()}`,
    ];
    for (const order of [places, [...places].reverse()]) {
      const binds = order.map((place) => `--bind=app/lib=${place}`);
      const script = `cat ${order.map((place) => `${place}/data`).join(" ")} ${host}/own`;
      const stdout = await ask(way, [app(), ...binds, ...sh(script)]);
      expect(stdout).toBe(`${"packed\n".repeat(places.length)}host\n`);
    }
    expect(readdirSync(path.join(host, "below/sub"))).toEqual([]);
  });

  check("of the whole archive, of a link's folder never, of a name with a =", async () => {
    const place = `/opt/${newName()}`;
    expect(await ask(way, [app(), `--bind=app=${place}`, ...sh(`${place}/bin/say`)])).toBe(
      `said ${place}/bin/say\n`,
    );
    const link = await refused(way, [app(), `--bind=app/toLib=${place}`, ...sh("true")]);
    expect(link).toMatchObject({ status: 125, code: "E_MAP_SOURCE" });
    const odd = await imageOf({ "a=b/data": "odd\n" });
    const bind = `--bind=x/a=b=${place}`;
    expect(await ask(way, [`-s=x:${odd}`, bind, ...sh(`cat ${place}/data`)])).toBe("odd\n");
  });

  check("a writable copy is writable there, and the same as in its own place", async () => {
    const [place, empty] = [`/opt/${newName()}`, `/${newName()}/e`];
    const script = `echo mine > ${place}/data && cat "$FUSELAGE_DYNAMIC/app/lib/data" && echo x > ${empty}/x && ls "$FUSELAGE_DYNAMIC/e"`;
    const args = [`--dynamic=app:${image}`, "--dynamic-empty=e", `--bind=app/lib=${place}`];
    expect(await ask(way, [...args, `--bind=e=${empty}`, ...sh(script)])).toBe("mine\nx\n");
  });

  for (const type of ["auto", "fuse", "extract", ...(way.root ? ["loop"] : [])]) {
    check(`by --mount-type=${type}, at the first start and at later ones`, async () => {
      const home = homeOf(way);
      const args = [`--mount-type=${type}`, app(), `--bind=app/lib=/opt/${newName()}/x`];
      const place = args[2]?.split("=")[2];
      for (let i = 0; i < 3; i++) {
        const options = { env: { FUSELAGE_LINGER: "5" } };
        expect(await ask(way, [...args, ...sh(`cat ${place}/data`)], home, options)).toBe(
          "packed\n",
        );
      }
    });
  }

  check("the rest of the folder is the host's: names, kinds, owners, writes", async () => {
    const host = hostFolder(uid());
    const about = `cd ${host} && find . -mindepth 1 ! -path './new*' -printf '%p %y %m %l\\n' | sort`;
    const outside = await ask(way, sh(about));
    const inside = await ask(way, [app(), `--bind=app/lib=${host}/new`, ...sh(about)]);
    expect(inside).toBe(outside);
    expect(inside).toContain("./fifo p ");
    const script = `
      echo in > ${host}/own
      echo in > ${host}/below/sub/file && mv ${host}/below/sub/file ${host}/below/file
      cat ${host}/relative/../file ${host}/roots; stat -c %a ${host}
      LC_ALL=C touch ${host}/another`;
    const { stdout, stderr } = await start(way, [
      app(),
      `--bind=app/lib=${host}/new`,
      ...sh(script),
    ]);
    expect(stdout).toBe("in\nroot's\n755\n");
    expect(stderr).toContain("Read-only file system");
    expect(readFileSync(path.join(host, "own"), "utf8")).toBe("in\n");
    expect(readFileSync(path.join(host, "below/file"), "utf8")).toBe("in\n");
    expect(readdirSync(host)).not.toContain("new");
  });

  check("sockets and fifos in the folder still lead to who is behind them", async () => {
    const host = hostFolder(uid());
    const socket = path.join(host, "socket");
    const server = createServer((client) => client.end("answer\n"));
    await new Promise<void>((resolve) => server.listen(socket, resolve));
    chmodSync(socket, 0o777);
    chmodSync(path.join(host, "fifo"), 0o666);
    try {
      const connect = `require("net").connect("${socket}").pipe(process.stdout)`;
      const args = [app(), `--bind=app/lib=${host}/new`, "--", process.execPath, "-e", connect];
      expect(await ask(way, args)).toBe("answer\n");
      const home = homeOf(way);
      const reading = ask(
        way,
        [app(), `--bind=app/lib=${host}/new`, ...sh(`cat ${host}/fifo`)],
        home,
      );
      await run("sh", ["-c", `echo through > ${host}/fifo`]);
      expect(await reading).toBe("through\n");
    } finally {
      server.close();
    }
  });

  check("links on the way are followed, those that lead nowhere too", async () => {
    const dir = temporaryDirectory();
    mkdirSync(path.join(dir, "real"));
    symlinkSync("real", path.join(dir, "link"));
    symlinkSync(path.join(dir, "real/missing"), path.join(dir, "away"));
    symlinkSync("away/x", path.join(dir, "twice"));
    symlinkSync("loop", path.join(dir, "loop"));
    for (const [place, real] of [
      ["link/app", "real/app"],
      ["away", "real/missing"],
      ["away/app/x", "real/missing/app/x"],
      ["twice/y", "real/missing/x/y"],
    ]) {
      const script = `cat ${dir}/${place}/data ${dir}/${real}/data`;
      const bind = `--bind=app/lib=${dir}/${place}`;
      expect(await ask(way, [app(), bind, ...sh(script)])).toBe("packed\npacked\n");
    }
    const loop = await refused(way, [app(), `--bind=app/lib=${dir}/loop/x`, ...sh("true")]);
    expect(loop).toMatchObject({ status: 125, code: "E_MAP_REFUSED" });
    const both = ["link/app", "real/app"].map((place) => `--bind=app/lib=${dir}/${place}`);
    const overlap = await refused(way, [app(), ...both, ...sh("true")]);
    expect(overlap).toMatchObject({ status: 125, code: "E_MAP_OVERLAP" });
    expect(readdirSync(path.join(dir, "real"))).toEqual([]);
  });

  check("! hides a folder, ? goes on with it, neither is refused", async () => {
    const dir = temporaryDirectory();
    writeFileSync(path.join(dir, "data"), "host\n");
    const at = (marks: string) => [app(), `--bind=app/lib=${marks}${dir}`];
    const cat = sh(`cat ${dir}/data; ls ${dir}`);
    expect(await ask(way, [...at("!"), ...cat])).toBe("packed\ndata\ndeep\n");
    expect(await ask(way, [...at("?"), ...cat])).toBe("host\ndata\n");
    for (const marks of ["?!", "!?"]) {
      expect(await ask(way, [...at(marks), ...cat])).toBe("packed\ndata\ndeep\n");
    }
    const no = await refused(way, [...at(""), ...cat]);
    expect(no).toMatchObject({ status: 125, stdout: "", code: "E_MAP_EXISTS" });
    expect(no.stderr).toContain(`${dir} is there on this machine`);
    const debug = { env: { FUSELAGE_DEBUG: "1" } };
    const { stderr } = await start(way, [...at("?"), ...cat], homeOf(way), debug);
    expect(stderr).toMatch(new RegExp(`app/lib=\\?${dir} is left out: .*is there`));
    expect(readFileSync(path.join(dir, "data"), "utf8")).toBe("host\n");
  });

  check("a file is never hidden, nor does anything appear below one", async () => {
    const file = path.join(temporaryDirectory(), "file");
    writeFileSync(file, "host\n");
    for (const [place, code] of [
      [file, "E_MAP_EXISTS"],
      [`!${file}`, "E_MAP_EXISTS"],
      [`!${file}/below`, "E_MAP_REFUSED"],
    ]) {
      const no = await refused(way, [app(), `--bind=app/lib=${place}`, ...sh("true")]);
      expect({ place, ...no }).toMatchObject({ status: 125, code });
    }
    expect(await ask(way, [app(), `--bind=app/lib=?${file}`, ...sh(`cat ${file}`)])).toBe("host\n");
  });

  check("not in a folder where programs meet, nor in the caller's home", async () => {
    const home = homeOf(way);
    const open = path.join(temporaryDirectory(), "open");
    mkdirSync(open);
    chmodSync(open, 0o1777);
    for (const place of [`/tmp/${newName()}`, `${open}/x`, `${home}/x/y`]) {
      const no = await refused(way, [app(), `--bind=app/lib=${place}`, ...sh("true")], home);
      expect({ place, ...no }).toMatchObject({ status: 125, code: "E_MAP_REFUSED" });
      const go = [app(), `--bind=app/lib=?${place}`, ...sh(`[ ! -e ${place} ] && echo without`)];
      expect(await ask(way, go, home)).toBe("without\n");
    }
    // Made before, it is one that is there.
    const made = path.join(home, "made");
    mkdirSync(made);
    const hides = [app(), `--bind=app/lib=!${made}`, ...sh(`cat ${made}/data; touch ${home}/new`)];
    chownSync(home, uid(), uid());
    expect(await ask(way, hides, home)).toBe("packed\n");
    expect(readdirSync(home)).toContain("new");
  });

  check("the system's paths are refused by their real names too", async () => {
    const dir = temporaryDirectory();
    symlinkSync("/proc/self", path.join(dir, "proc"));
    symlinkSync("/etc", path.join(dir, "etc"));
    symlinkSync("/", path.join(dir, "top"));
    for (const place of [
      `${dir}/proc/x`,
      `${dir}/etc/passwd`,
      `!${dir}/etc`,
      `!${dir}/top`,
      `${dir}/top/dev/x`,
      "!/tmp",
      `!${dir}/top/tmp`,
      "!/var/tmp",
      `${startsOf(way)}/x`,
    ]) {
      const no = await refused(way, [app(), `--bind=app/lib=${place}`, ...sh("true")]);
      expect({ place, ...no }).toMatchObject({ status: 125, code: "E_MAP_RESERVED" });
    }
  });

  check(
    "the current directory stays, with its name, and shows what has appeared in it",
    async () => {
      const host = hostFolder(uid());
      const top = `/${newName()}`;
      const both = [app(), `--bind=app/lib=${host}/new`, `--bind=app/lib=${top}`];
      const script = "pwd -P; /bin/pwd; ls -d new 2>/dev/null; cat ../new/data 2>/dev/null; echo";
      for (const [cwd, said] of [
        [host, `${host}\n${host}\nnew\n`],
        [path.join(host, "below"), `${host}/below\n${host}/below\npacked\n`],
        ["/", "/\n/\n"],
        ["/usr", "/usr\n/usr\n"],
        ["/proc", "/proc\n/proc\n"],
      ] as const) {
        for (const binds of [both, both.slice(0, 2)]) {
          const { stdout } = await start(way, [...binds, ...sh(script)], homeOf(way), { cwd });
          expect(stdout.trimEnd()).toBe(said.trimEnd());
        }
      }
    },
  );

  check("the start's own directories may be in the folder, or at a new root", async () => {
    const host = hostFolder(uid());
    const home = path.join(host, "below");
    const env = { FUSELAGE_HOME: path.join(home, "own"), FUSELAGE_DEBUG: "1" };
    for (const place of [`${host}/new`, `/${newName()}`]) {
      const args = [`--dynamic=app:${image}`, `--bind=app/lib=${place}`];
      const script = `cat ${place}/data && echo x > ${place}/data && cat "$FUSELAGE_DYNAMIC/app/lib/data" && echo x > "$FUSELAGE_TMPDIR/x"`;
      const outcome = await start(way, [...args, ...sh(script)], home, { env });
      expect(outcome).toMatchObject({ status: 0, stdout: "packed\nx\n" });
      // A copy that costs nothing, not one that had to be extracted.
      expect(outcome.stderr).toMatch(/mounted by (loop|fuse) /);
      if (!way.root) expect(outcome.stderr).toContain(env.FUSELAGE_HOME);
    }
  });

  check("starts from a directory that has been removed", async () => {
    const inner = `d=$(mktemp -d) && cd "$d" && rmdir "$d" && exec "$0" "$@"`;
    for (const place of [`/${newName()}`, `/opt/${newName()}`]) {
      const command = [runnerOf(way), app(), `--bind=app/lib=${place}`, "--", "cat"];
      const args = ["-c", inner, ...command, `${place}/data`];
      const who = way.root ? {} : ordinaryUser();
      const outcome = await run("sh", args, { ...who, env: { HOME: homeOf(way) } });
      expect(outcome).toMatchObject({ status: 0, stdout: "packed\n" });
    }
  });

  check("a start inside of it has its own at the same path, and sees the others", async () => {
    const [place, also, home] = [`/opt/${newName()}`, `/${newName()}/x`, homeOf(way)];
    const inner = `"$FUSELAGE" -s=app:${other} --bind=app/lib=${place} -- cat ${place}/data ${also}/data`;
    const args = [app(), `--bind=app/lib=${place}`, `--bind=app/lib=${also}`];
    const env = { FUSELAGE: runnerOf(way) };
    const script = `${inner}; cat ${place}/data`;
    expect(await ask(way, [...args, ...sh(script)], home, { env })).toBe("other\npacked\npacked\n");
    const again = `"$FUSELAGE" ${args.join(" ")} -- cat ${place}/data ${also}/data`;
    expect(await ask(way, [...args, ...sh(again)], home, { env })).toBe("packed\npacked\n");
  });

  check("is seen by the command and its children alone, and leaves nothing", async () => {
    const home = homeOf(way);
    const [place, top] = [`/opt/${newName()}`, `/${newName()}/x`];
    const left = watch(way, home, [image]);
    const binds = [app(), `--bind=app/lib=${place}`, `--bind=app/lib=${top}`];
    const { said, end } = await hold(way, binds, `sh -c 'cat ${place}/data ${top}/data'`, home);
    try {
      expect(said).toContain("packed\n");
      for (const seen of [place, top, path.dirname(top)]) expect(existsSync(seen)).toBe(false);
      const table = readFileSync("/proc/self/mountinfo", "utf8");
      expect(table).not.toContain(place);
      expect(table).not.toContain("fuselage-map");
    } finally {
      await end();
    }
    expect(await left()).toEqual(nothing);
  });

  check("what is mounted in the folder stays mounted, with its flags", async () => {
    const host = hostFolder(uid());
    const mounts = [
      "mount -t tmpfs -o ro,noexec none below",
      "mount -t tmpfs -o noexec,nosuid,mode=777 none .hidden",
      "echo mounted > .hidden/file",
      "mount --bind /etc/hostname own",
    ];
    const script = `
      cat .hidden/file; cat own; LC_ALL=C touch below/x; echo written > .hidden/file
      cp /bin/true .hidden/true && .hidden/true || echo noexec
      cat ${host}/new/data
      awk '$5 ~ /host\\/(below|.hidden)$/ { print $6 }' /proc/self/mountinfo`;
    const drop = way.root ? "" : "setpriv --reuid=1000 --regid=1000 --clear-groups ";
    const inner = `cd ${host} && ${mounts.join(" && ")} && exec ${drop}"$0" "$@"`;
    const command = [runnerOf(way), app(), `--bind=app/lib=${host}/new`, ...sh(script)];
    const outcome = await run("unshare", ["-m", "sh", "-c", inner, ...command], {
      env: { HOME: homeOf(way) },
    });
    const hostname = readFileSync("/etc/hostname", "utf8");
    expect(outcome.stdout.split("\n").slice(0, 4).join("\n")).toBe(
      `mounted\n${hostname}noexec\npacked`,
    );
    expect(outcome.stderr).toMatch(/touch: .*Read-only file system/);
    expect(outcome.stdout).toMatch(/\bro\b[^\n]*noexec/);
    expect(outcome.stdout).toMatch(/nosuid[^\n]*noexec/);
  });

  check("what the host mounts later in a folder of the folder arrives", async () => {
    const host = hostFolder(uid());
    const top = `/${newName()}`;
    for (const [i, place] of [`${host}/new`, top].entries()) {
      const up = path.join(homeOf(way), `up${i}`);
      const inner = `mount --make-rshared / && { "$@" & } && until test -e ${up}; do sleep 0.05; done &&
        mount -t tmpfs none ${host}/below && echo arrived > ${host}/below/file && touch ${host}/own && wait`;
      const drop = way.root ? [] : ["setpriv", "--reuid=1000", "--regid=1000", "--clear-groups"];
      const script = `: > ${up}; until cat ${host}/below/file 2>/dev/null; do sleep 0.1; done`;
      const command = [...drop, runnerOf(way), app(), `--bind=app/lib=${place}`, ...sh(script)];
      const outcome = await run("unshare", ["-m", "sh", "-c", inner, "sh", ...command], {
        env: { HOME: homeOf(way) },
      });
      expect(outcome).toMatchObject({ status: 0, stdout: "arrived\n" });
    }
  });

  check("a folder of thousands of files costs few mounts, where they are only read", async () => {
    const host = temporaryDirectory();
    for (let i = 0; i < 3000; i++) writeFileSync(path.join(host, `f${i}`), `${i}\n`);
    mkdirSync(path.join(host, "sub"));
    const script = `ls ${host} | wc -l; cat ${host}/new/data ${host}/f2999; grep -c ${host} /proc/self/mountinfo`;
    const [names, data, last, mounts] = (
      await ask(way, [app(), `--bind=app/lib=${host}/new`, ...sh(script)])
    ).split("\n");
    expect([names, data, last]).toEqual(["3002", "packed", "2999"]);
    // The overlay, the folder that is mapped with its mark, one folder; root may write to each file.
    expect(Number(mounts)).toBe(way.root ? 3004 : 4);
  });
});

checkOf(setuidRoot)("setuid-root: refused, or left out", async () => {
  const place = `/opt/${newName()}`;
  const no = await refused(setuidRoot, [app(), `--bind=app/lib=${place}`, ...sh("true")]);
  expect(no).toMatchObject({ status: 125, code: "E_MAP_REFUSED" });
  expect(no.stderr).toContain("setuid-root");
  const go = [app(), `--bind=app/lib=?${place}`, ...sh(`[ ! -e ${place} ] && echo without`)];
  expect(await ask(setuidRoot, go)).toBe("without\n");
});

describe("where overlays are refused, everything in the folder is bound", () => {
  checkOf(asRoot, "gcc")("as root and as a user", async () => {
    const library = path.join(temporaryDirectory(), "no-overlay");
    execFileSync("cc", ["-o", library, path.join(root, "test/support/refuse-overlay.c")]);
    for (const { uid, home } of [
      { uid: 0, home: temporaryDirectory() },
      { uid: 1000, home: homeOf(asOrdinary) },
    ]) {
      const host = hostFolder(uid);
      const about = `cd ${host} && find . -mindepth 1 ! -path './new*' -printf '%p %y %m %l\\n' | sort`;
      const outside = spawnSync("sh", ["-c", about], { encoding: "utf8" }).stdout;
      const script = `${about}; cat ${host}/new/data; echo in > ${host}/own; grep -c ${host} /proc/self/mountinfo`;
      const command = [runnerOf(asRoot), app(), `--bind=app/lib=${host}/new`, ...sh(script)];
      const { status, stdout } = await run(library, [`${uid}`, ...command], {
        env: { HOME: home },
      });
      const bound = readdirSync(host, { withFileTypes: true }).filter((e) => !e.isSymbolicLink());
      expect({ status, stdout }).toEqual({
        status: 0,
        stdout: `${outside}packed\n${bound.length + 3}\n`,
      });
      expect(readFileSync(path.join(host, "own"), "utf8")).toBe("in\n");
    }
  });
});

skipUnless("root", "userns")("a directory that cannot be entered again is named", async () => {
  const dir = temporaryDirectory();
  mkdirSync(path.join(dir, "closed/inner"), { recursive: true });
  chmodSync(path.join(dir, "closed"), 0o700);
  const inner = `cd ${dir}/closed/inner && exec setpriv --reuid=1000 --regid=1000 --clear-groups "$@"`;
  const command = (place: string) => [
    ...["-c", inner, "sh", runnerOf(asOrdinary), app(), `--bind=app/lib=${place}`],
    ...sh("pwd"),
  ];
  const env = { HOME: homeOf(asOrdinary) };
  const no = await run("sh", command(`/${newName()}`), { env });
  expect(no).toMatchObject({ status: 125, stdout: "" });
  expect(no.stderr).toContain("E_MAP_REFUSED");
  expect(no.stderr).toContain("the current directory");
  expect(await run("sh", command(`?/${newName()}`), { env })).toMatchObject({ status: 0 });
  expect(await run("sh", command(`/opt/${newName()}`), { env })).toMatchObject({ status: 0 });
});

describe("a command line", () => {
  const long = `/${"x".repeat(255)}`.repeat(9);
  test.each([
    ["app/lib=relative", "E_MAP_INVALID"],
    ["app/lib", "E_MAP_INVALID"],
    ["=/opt/x", "E_MAP_INVALID"],
    ["app/lib=/opt/../x", "E_MAP_INVALID"],
    ["app/lib=/opt/./x", "E_MAP_INVALID"],
    ["app/lib=/opt/x/", "E_MAP_INVALID"],
    ["app/lib=/opt//x", "E_MAP_INVALID"],
    ["app/lib=???/opt/x", "E_MAP_INVALID"],
    ["app/../lib=/opt/x", "E_MAP_INVALID"],
    ["/app/lib=/opt/x", "E_MAP_INVALID"],
    [`app/lib=${long}`, "E_MAP_INVALID"],
    ["app/lib=/", "E_MAP_RESERVED"],
    ["app/lib=/proc", "E_MAP_RESERVED"],
    ["app/lib=!/proc/self", "E_MAP_RESERVED"],
    ["app/lib=?/sys/x", "E_MAP_RESERVED"],
    ["app/lib=/dev/shm/x", "E_MAP_RESERVED"],
    ["app/lib=!/etc", "E_MAP_RESERVED"],
    ["app/lib=/etc/passwd", "E_MAP_RESERVED"],
    ["app/lib=/etc/ssl/certs", "E_MAP_RESERVED"],
    ["app/lib=!/etc/pki", "E_MAP_RESERVED"],
    ["app/lib=/etc/pki/tls/certs", "E_MAP_RESERVED"],
    ["app/lib=/etc/ca-certificates/extracted", "E_MAP_RESERVED"],
    ["app/lib=/etc/crypto-policies/back-ends", "E_MAP_RESERVED"],
    ["app/lib=?!/var/lib/ca-certificates", "E_MAP_RESERVED"],
    ["app/lib=/run/fuselage/x", "E_MAP_RESERVED"],
    ["app/lib=!/run", "E_MAP_RESERVED"],
    ["else/lib=/opt/x", "E_MAP_SOURCE"],
    ["app/none=/opt/x-missing", "E_MAP_SOURCE"],
    ["app/plain=/opt/x-missing", "E_MAP_SOURCE"],
    ["app/lib/data=/opt/x-missing", "E_MAP_SOURCE"],
  ])("%s is refused: %s", async (bind, code) => {
    const no = await refused(asRoot, [app(), `--bind=${bind}`, ...sh("true")]);
    expect(no).toMatchObject({ status: 125, stdout: "", code });
    expect(no.stderr).toContain(bind.slice(0, 100));
  });

  test.each([
    [["app/lib=/opt/a", "app/bin=/opt/a"], "twice at one path"],
    [["app/lib=/opt/a", "app/bin=/opt/a/b/c"], "one is below the other"],
    [["app/lib=/opt/a/b", "app/bin=?!/opt/a"], "one is below the other"],
  ])("%s is refused", async (binds, words) => {
    const args = [app(), ...binds.map((bind) => `--bind=${bind}`), ...sh("true")];
    const no = await refused(asRoot, args);
    expect(no).toMatchObject({ status: 125, code: "E_MAP_OVERLAP" });
    expect(no.stderr).toContain(words);
  });

  test("names that only begin alike are neighbours", async () => {
    const name = newName();
    const places = [`/opt/${name}`, `/opt/${name}-b`, `/opt/${name}.c`];
    const binds = places.map((place) => `--bind=app/lib=${place}`);
    const script = `cat ${places.map((place) => `${place}/data`).join(" ")}`;
    expect(await ask(asRoot, [app(), ...binds, ...sh(script)])).toBe("packed\n".repeat(3));
  });

  test("--bind behind --run PATH is the program's own", async () => {
    const args = [app(), "--run", "bin/say", "--bind", "0.0.0.0:80"];
    expect(await ask(asRoot, args)).toMatch(/^said .*bin\/say\n$/);
  });
});

/** A file of root's that gives rights stays one, in a folder that is covered for root. */
skipUnless("root")("set-id files of the folder keep their bit for root", async () => {
  const host = hostFolder(0);
  writeFileSync(path.join(host, "set-id"), "", { mode: 0o755 });
  chmodSync(path.join(host, "set-id"), 0o4755);
  const script = `stat -c %a ${host}/set-id; awk '$5 == "${host}/set-id" { print $6 }' /proc/self/mountinfo`;
  const stdout = await ask(asRoot, [app(), `--bind=app/lib=${host}/new`, ...sh(script)]);
  expect(stdout).toMatch(/^4755\n/);
  expect(stdout).not.toContain("nosuid");
  expect(statSync(path.join(host, "set-id")).mode & 0o7777).toBe(0o4755);
  rmSync(path.join(host, "set-id"));
});
