/**
 * Sandboxes of bundles whose root directory is their image: of the machine there is what rules name, at its own path,
 * and the same walls stand around it.
 */
import { chmodSync, copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect } from "vitest";
import type { Manifest } from "../../builder/manifest/manifest.ts";
import {
  escapesProgram,
  fencedNeeds,
  give,
  prison,
  startAs,
  tryEscapes,
  victimOf,
} from "../support/fenced.ts";
import { skipUnless } from "../support/needs.ts";
import { rootBundle, shell, starters, startNeeds, startRoot } from "../support/root-image.ts";
import { asOrdinary, asRoot, homeOf } from "../support/runner.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const bundle = (sandbox: string[], manifest: Partial<Manifest> = {}) =>
  rootBundle({}, { sandbox, ...manifest });

describe.each(starters)("a fenced image as root, $title,", (starter) => {
  const way = starter.root ? asRoot : asOrdinary;
  const test = skipUnless(...startNeeds(starter));

  /** A folder of whoever starts, with a file and a folder in it. */
  function folder(): string {
    const dir = temporaryDirectory();
    mkdirSync(path.join(dir, "in"));
    for (const name of ["file", "in/file"]) writeFileSync(path.join(dir, name), `${name}\n`);
    give(way, dir, path.join(dir, "in"), path.join(dir, "file"), path.join(dir, "in/file"));
    return dir;
  }

  /** What a script prints, errors among it. */
  const says = async (
    file: string,
    script: string,
    options: readonly string[] = [],
    more: { env?: Record<string, string>; cwd?: string; home?: string } = {},
  ) => shell(starter, file, options, `exec 2>&1; ${script}; true`, more.home ?? homeOf(way), more);

  test("has what rules name, and nothing else of the machine", async () => {
    const home = homeOf(way);
    writeFileSync(path.join(home, "secret"), "secret\n");
    const dir = folder();
    const file = await bundle([`fs ${dir} ro`, `fs ${dir}/in rw`]);
    const script = `cat ${dir}/file; echo more >>${dir}/in/file && cat ${dir}/in/file
      echo x 2>/dev/null >${dir}/new || echo read-only
      chmod 700 ${dir}/file; chmod 700 ${dir}/in/file && echo changed
      ls ${home} ${path.dirname(process.execPath)} || ls /dev | tr '\\n' ' '`;
    expect(await says(file, script, [], { home, cwd: "/" })).toBe(
      [
        "file\nin/file\nmore\nread-only",
        `chmod: ${dir}/file: Read-only file system\nchanged`,
        `ls: ${home}: No such file or directory`,
        `ls: ${path.dirname(process.execPath)}: No such file or directory`,
        "fd full null ptmx pts random shm stderr stdin stdout tty urandom zero",
      ].join("\n"),
    );
  });

  test("has the words for places: cwd, home, app-data", async () => {
    const home = homeOf(way);
    const cwd = folder();
    const words = "pwd; cat file; echo $HOME; echo $XDG_DATA_HOME";
    const none = await says(await bundle(["fs cwd ro"]), words, [], { home, cwd });
    expect(none).toBe(`${cwd}\nfile\n/root`);
    const all = await bundle(["fs cwd ro", "fs home rw", "fs app-data rw"], { name: "packed" });
    const data = `${home}/.local/share/fuselage/apps/packed/data`;
    expect(
      await says(all, `${words}; touch $XDG_DATA_HOME/x && echo kept`, [], { home, cwd }),
    ).toBe(`${cwd}\nfile\n${home}\n${data}\nkept`);
  });

  test("changes its image and executes what is in that, and of a folder with exec host alone", async () => {
    const dir = folder();
    const script = `mkdir /own && cp /bin/busybox /own && /own/busybox echo ran
      cp /bin/busybox ${dir} && ${dir}/busybox echo ran in a folder; rm ${dir}/busybox`;
    expect(await says(await bundle([`fs ${dir} rw`]), script)).toMatch(
      /^ran\nsh: .*busybox: Permission denied$/,
    );
    expect(await says(await bundle([`fs ${dir} rw`, "exec host"]), script)).toBe(
      "ran\nran in a folder",
    );
  });

  test("has namespaces by their words", async () => {
    const file = await bundle(["net all", "netns", "pid", "ipcns"]);
    const script =
      "ls /sys/class/net /proc/sys/fs/mqueue >/dev/null; cat /proc/net/dev | wc -l; ps | wc -l";
    const [interfaces, processes] = (await says(file, script)).split("\n").slice(-2).map(Number);
    // Two lines of a heading and loopback; a heading, process 1, the shell, ps and wc.
    expect(interfaces).toBeLessThan(6);
    expect(processes).toBeLessThan(8);
    const open = Number((await says(await bundle(["net none"]), "ps | wc -l")).split("\n").at(-1));
    expect(open).toBeGreaterThan(processes ?? 0);
  });

  test("volumes of the user are its word, those of the bundle are what rules allow", async () => {
    const dir = folder();
    const recorded = { run: ["-v", `${dir}:/srv/data`] };
    const script = "cat /srv/data/file; echo x >>/srv/data/file && echo written";
    const missing = "cat: can't open '/srv/data/file': No such file or directory";
    expect(await says(await bundle(["net none"], recorded), script)).toContain(missing);
    expect(await says(await bundle([`fs ${dir} ro`], recorded), script)).toMatch(
      /^file\n.*Read-only file system$/,
    );
    expect(await says(await bundle([`fs ${dir} rw`], recorded), script)).toMatch(/^file\nwritten$/);
    const plain = await bundle(["net none"]);
    const volume = ["-v", `${dir}:/srv/data:ro`];
    expect(await says(plain, script, volume)).toMatch(/^file\n(x\n)*sh: .*Read-only file system$/);
    // A volume that no rule allows is left out, beside a home that one does.
    const beside = await bundle(["fs home ro"], recorded);
    expect(await says(beside, script)).toContain(missing);
    for (const word of ["deny:fs", `deny:fs:${path.dirname(dir)}`, `deny:fs:${dir}/file`]) {
      const refused = await startRoot(starter, plain, volume, ["true"], homeOf(way), {
        env: { FUSELAGE_SANDBOX: word },
      });
      expect(refused.stderr).toMatch(
        /\[E_SANDBOX_ROOT\] -v .*: denied by what FUSELAGE_SANDBOX says/,
      );
      expect(refused.status).toBe(125);
    }
  });

  test("what words deny is not to be had by a volume or what is kept, nor by what it is in", async () => {
    const file = await bundle(["net none"]);
    const home = homeOf(way);
    const below = path.join(home, "below");
    mkdirSync(below);
    give(way, below);
    const options = [
      ["-v", `${home}:/mnt`],
      ["-v", `${below}:/mnt`],
      ["-v", `${path.dirname(home)}:/mnt`],
      ["--persist", below],
    ];
    for (const option of options) {
      const env = { FUSELAGE_SANDBOX: "deny:fs:home" };
      const { stderr, status } = await startRoot(starter, file, option, ["true"], home, { env });
      expect(stderr).toMatch(/\[E_SANDBOX_ROOT\] .*: denied by what FUSELAGE_SANDBOX says/);
      expect(status).toBe(125);
      const other = { env: { FUSELAGE_SANDBOX: "deny:fs:downloads,net" } };
      if (option[0] === "--persist") {
        expect(await startRoot(starter, file, option, ["true"], home, other)).toMatchObject({
          status: 0,
        });
      }
    }
  });

  test("what a bundle keeps takes a rule for where", async () => {
    const dir = folder();
    const recorded = { run: ["--persist", path.join(dir, "in")] };
    const script = "echo kept >/kept && cat /kept";
    expect(await says(await bundle([`fs ${dir} rw`], recorded), script)).toBe("kept");
    const file = await bundle([`fs ${dir} ro`], recorded);
    const refused = await startRoot(starter, file, [], ["true"], homeOf(way));
    expect(refused.stderr).toMatch(/\[E_SANDBOX_ROOT\] --persist .* no rule allows to write there/);
  });

  test("paths of the image's own are refused in words", async () => {
    const file = await bundle(["net none"]);
    for (const rule of ["fs:/usr/share/dict:ro", "fs:/etc:ro", "fs:/dev/null:rw", "fs:/var:ro"]) {
      const refused = await startRoot(starter, file, [], ["true"], homeOf(way), {
        env: { FUSELAGE_SANDBOX: rule },
      });
      expect(refused.stderr).toMatch(
        /\[E_SANDBOX_ROOT\] fs \/.*the image's own\n {2}.*-v HOST:INSIDE/,
      );
    }
  });

  test("--contain lets nothing in, whatever rules say", async () => {
    const dir = folder();
    const file = await bundle([`fs ${dir} rw`, "fs home rw"]);
    const home = homeOf(way);
    const script = `ls ${dir} ${home}; grep Seccomp: /proc/self/status`;
    const text = await says(file, script, ["--contain"], { home });
    expect(text).toBe(
      `ls: ${dir}: No such file or directory\nls: ${home}: No such file or directory\nSeccomp:\t2`,
    );
  });

  test("strict starts, and the doctor says what is enforced", async () => {
    const file = await bundle(["fs cwd ro", "net connect 443"]);
    const env = { FUSELAGE_SANDBOX: "strict" };
    expect(await says(file, "echo started", [], { env })).toBe("started");
    const { stdout } = await startAs(way, [file, "--bundle-doctor"], homeOf(way), { env });
    expect(stdout).toMatch(/^sandbox {5}strict: all of it is enforced here$/m);
    expect(stdout).toMatch(/^ {2}may {7}reads the current folder: Landlock, private directories$/m);
    expect(stdout).toMatch(/^root {8}works/m);
  });

  const testEscapes = skipUnless(...startNeeds(starter), ...fencedNeeds(way));

  testEscapes("there is no way out but those that are known", async () => {
    const place = prison(way);
    const victim = await victimOf(way, place);
    const rules = [`fs ${place.work} rw`, `fs ${place.programs} ro`, "exec host"];
    const file = await rootBundle({}, { sandbox: rules }, (dir) => {
      copyFileSync(escapesProgram(), path.join(dir, "bin/escapes"));
      chmodSync(path.join(dir, "bin/escapes"), 0o755);
    });
    try {
      const found = await tryEscapes(way, place, victim, [file, "--bundle-run", "--"]);
      const open = Object.entries(found).filter(([, result]) => result === "ok");
      // A user who is root inside is told that it has made a device; nobody has.
      const asUser = starter.root ? [] : ["make a device", "setpriority of another"];
      expect(open.map(([name]) => name).sort()).toEqual(
        [
          ...asUser,
          "/etc/hostname",
          "listen at a path",
          "memfd without a seal",
          "netlink: routes",
          "pair of Unix sockets",
          "set-id program",
        ].sort(),
      );
    } finally {
      await victim.end();
    }
  });
});
