/** Starts whose root directory is the image: who the app is, what is inside, how it ends. */
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect } from "vitest";
import { nothing } from "../support/leftovers.ts";
import { skipUnless } from "../support/needs.ts";
import { asUser, ordinaryUser, run } from "../support/process.ts";
import {
  homeFor,
  rootBundle,
  shell,
  starters,
  startNeeds,
  startRoot,
  watchRoot,
} from "../support/root-image.ts";

const bytes = (text: string) => Buffer.from(text).toString("latin1");

let file: string;
beforeAll(async () => {
  file = await rootBundle({ "srv/own": "the image's\n" }, { cmd: ["echo", "of", "the image"] });
});

describe.each(starters)("a start with the image as root, $title,", (starter) => {
  const test = skipUnless(...startNeeds(starter));

  test("has the image's files, and of the machine what it needs", async () => {
    const home = homeFor(starter);
    writeFileSync(path.join(home, "mine"), "my own\n");
    const script = `cat /srv/own $HOME/mine; pwd; ls -d /proc/self /sys/class /dev/null /tmp /run;
      cmp /etc/resolv.conf - && echo new > /srv/new && cat /srv/new; ls / | tr '\\n' ' '`;
    const input = readFileSync("/etc/resolv.conf", "utf8");
    const said = await shell(starter, file, [], script, home, { input });
    expect(said.split("\n")).toEqual([
      "the image's",
      "my own",
      home,
      "/dev/null",
      "/proc/self",
      "/run",
      "/sys/class",
      "/tmp",
      "new",
      expect.stringMatching(/^bin dev etc proc (root )?run srv sys tmp ?$/),
    ]);
  });

  test("is the same process, and ends as the app does", async () => {
    const home = homeFor(starter);
    const end = (options: string[], what: string) =>
      startRoot(starter, file, options, ["sh", "-c", what], home);
    for (const options of [[], ["--pid"]]) {
      expect(await end(options, "exit 7")).toMatchObject({ status: 7 });
      expect(await end(options, "exit 139")).toMatchObject({ status: 139 });
      expect(await end(options, "kill -TERM $$")).toMatchObject({ signal: "SIGTERM" });
      expect(await end(options, "kill -SEGV $$")).toMatchObject({ signal: "SIGSEGV" });
      expect(await end(options, "exec nothing-of-this-name")).toMatchObject({ status: 127 });
    }
    const missing = await startRoot(starter, file, [], ["nothing-of-this-name"], home);
    expect(missing).toMatchObject({ status: 127 });
    expect(missing.stderr).toContain("E_COMMAND_NOT_FOUND");
    const noProgram = await startRoot(starter, file, [], ["/etc/passwd"], home);
    expect(noProgram).toMatchObject({ status: 126 });
    const script = 'echo $$; exec "$0" sh -c "echo \\$\\$"';
    const env = { HOME: home };
    const twice = starter.root
      ? await run("sh", ["-c", script, file], { env })
      : await asUser("sh", ["-c", script, file], home);
    const [outer, inner] = twice.stdout.split("\n");
    expect(inner).toBe(outer);
  });

  test("takes the recorded arguments only where there are none", async () => {
    const home = homeFor(starter);
    const plain = await startRoot(starter, file, [], [], home);
    expect(plain.stdout).toBe("of the image\n");
    const own = await startRoot(starter, file, [], ["echo", "mine"], home);
    expect(own.stdout).toBe("mine\n");
    const entrypoint = await startRoot(starter, file, ["--entrypoint", "/bin/echo"], ["a"], home);
    expect(entrypoint.stdout).toBe("a\n");
    const input = "echo from sh; exit 3\n";
    const sh = await startRoot(starter, file, ["--shell"], [], home, { input });
    expect(sh).toMatchObject({ stdout: "from sh\n", status: 3 });
    // The last one wins, wherever they come from.
    const words = ["--shell", "--entrypoint", "/bin/echo"];
    expect((await startRoot(starter, file, words, ["b"], home)).stdout).toBe("b\n");
    const env = { FUSELAGE_RUN_OPTIONS: "--entrypoint /bin/echo" };
    const last = await startRoot(starter, file, ["--shell"], [], home, { input, env });
    expect(last).toMatchObject({ stdout: "from sh\n", status: 3 });
    const help = await run(file, ["--bundle-help"], { env: { HOME: home } });
    expect(help.stdout).toMatch(/^ {2}--bundle-run \[OPTION\]\.\.\. /m);
  });

  test("is the user that is asked for, by the image's names", async () => {
    const home = homeFor(starter);
    const id = (user: string) =>
      shell(starter, file, ["-u", user], "id -u; id -g; echo $USER", home);
    expect(await id("0")).toBe("0\n0\nroot");
    expect(await id("web")).toBe("101\n102\nweb");
    expect(await id("101:log")).toBe("101\n44\nweb");
    expect(await id("1234")).toBe("7\n7\n1234");
    expect(await id("777:778")).toBe("777\n778");
    for (const user of ["nobody-here", "web:nogroup", "4294967295"]) {
      const refused = await startRoot(starter, file, ["-u", user], ["id"], home);
      expect(refused.stderr).toContain("E_ROOT_USER");
    }
  });

  const testAsRoot = skipUnless(...startNeeds(starter), "root", "setcap");
  testAsRoot("changes a file that has capabilities", async () => {
    const able = await rootBundle({ "srv/able": "one\n" }, {}, (dir) =>
      execFileSync("setcap", ["cap_net_raw+ep", path.join(dir, "srv/able")]),
    );
    const script = "echo two >> /srv/able && cat /srv/able";
    expect(await shell(starter, able, [], script, homeFor(starter))).toBe("one\ntwo");
  });

  test("has podman's capabilities and no more", async () => {
    const home = homeFor(starter);
    const caps = (options: string[]) =>
      shell(starter, file, options, "grep -E 'Cap(Inh|Prm|Bnd|Amb)' /proc/self/status", home);
    const lines = (permitted: string) =>
      `CapInh:\t${"0".repeat(16)}\nCapPrm:\t${permitted.padStart(16, "0")}\n` +
      `CapBnd:\t00000000800405fb\nCapAmb:\t${"0".repeat(16)}`;
    expect(await caps([])).toBe(lines("800405fb"));
    expect(await caps(["--no-fake"])).toBe(lines("800405fb"));
    expect(await caps(["-u", "web"])).toBe(lines("0"));
    expect(await caps(["--keep-caps"])).not.toContain("CapBnd:\t00000000800405fb");
    const mount = await startRoot(starter, file, [], ["mount", "-t", "tmpfs", "x", "/srv"], home);
    expect(mount.status).not.toBe(0);
    const kept = ["mount", "-t", "tmpfs", "x", "/srv"];
    expect(await startRoot(starter, file, ["--keep-caps"], kept, home)).toMatchObject({
      status: 0,
    });
  });

  test("shows and sets what options ask for", async () => {
    const home = homeFor(starter);
    const dir = homeFor(starter);
    writeFileSync(path.join(dir, "file"), "of the machine\n", { mode: 0o666 });
    const volumes = ["-v", `${dir}:/data`, "-v", `${dir}/file:/etc/made/file:ro`];
    const script = `cat /data/file /etc/made/file; echo x > /data/new; echo $A-$B-$C; pwd; hostname;
      (echo no > /etc/made/file) 2>/dev/null || echo read-only`;
    const options = [...volumes, "-e", "A=1", "-e", "B", "-w", "/new/dir", "--hostname", "inside"];
    const said = await shell(starter, file, options, script, home, { env: { B: "2" } });
    expect(said).toBe("of the machine\nof the machine\n1-2-\n/new/dir\ninside\nread-only");
    expect(readFileSync(path.join(dir, "new"), "utf8")).toBe("x\n");
    if (!starter.root) expect(statSync(path.join(dir, "new")).uid).toBe(ordinaryUser().uid);
    const env = { FUSELAGE_RUN_OPTIONS: "-e 'A=a b' --read-only" };
    const readOnly = "echo $A; touch /tmp/a /run/a $HOME/a && touch /srv/a";
    const outcome = await startRoot(starter, file, [], ["sh", "-c", readOnly], home, { env });
    expect(outcome.stdout).toBe("a b\n");
    expect(outcome.stderr).toContain("/srv/a: Read-only file system");
    const none = await startRoot(starter, file, ["-v", "/not/there:/x"], ["true"], home);
    expect(none.stderr).toContain("E_ROOT_SOURCE");
  });

  test("lets nobody change the machine's files that are put into its /etc", async () => {
    // To open one for writing changes nothing of it.
    const script = `for f in resolv.conf hosts hostname localtime; do
      [ ! -e /etc/$f ] || grep -q " /etc/$f ro," /proc/self/mountinfo || echo "writable $f"
      (: >> /etc/$f) 2>/dev/null && echo "open $f"; done; cat /etc/hosts > /dev/null && echo read`;
    expect(await shell(starter, file, [], script, homeFor(starter))).toBe("read");
  });

  test("refuses a volume that would not be seen", async () => {
    const home = homeFor(starter);
    const linked = await rootBundle({}, {}, (dir) => {
      symlinkSync("/proc", path.join(dir, "srv"));
      mkdirSync(path.join(dir, "proc/inner"), { recursive: true });
    });
    for (const place of [
      "/proc",
      "/proc/sys",
      "//proc/./inner",
      "/sys",
      "/x/../dev",
      "/dev/pts/0",
    ]) {
      const { status, stderr } = await startRoot(
        starter,
        file,
        ["-v", `${home}:${place}`],
        [],
        home,
      );
      expect(status, place).not.toBe(0);
      expect(stderr, place).toMatch(/E_ROOT_SOURCE.*is the kernel's/);
    }
    for (const place of ["/srv", "/srv/inner"]) {
      const through = await startRoot(starter, linked, ["-v", `${home}:${place}`], ["true"], home);
      expect(through.stderr, place).toContain("E_ROOT_SOURCE");
    }
    const shown = await shell(
      starter,
      file,
      ["--contain", "-v", `${home}:/dev/shm`],
      "ls -d /dev/shm",
      home,
    );
    expect(shown).toBe("/dev/shm");
  });

  test("shows nothing of an image as it is that a terminal would obey", async () => {
    const home = homeFor(starter);
    const evil = "\u001b]0;x\u0007\u009b2J\u202e\n[E_FAKE]";
    const shown = "\\x1b]0;x\\x07\\xc2\\x9b2J\\xe2\\x80\\xae\\x0a[E_FAKE]";
    const byUser = await rootBundle({}, { user: bytes(evil), cmd: ["true"] });
    const byCmd = await rootBundle({}, { cmd: [bytes(evil)] });
    for (const [bundle, code] of [
      [byUser, "E_ROOT_USER"],
      [byCmd, "E_COMMAND_NOT_FOUND"],
    ] as const) {
      const { stderr } = await startRoot(starter, bundle, [], [], home);
      expect(stderr).toContain(`[${code}] `);
      expect(stderr).toContain(shown);
      const info = starter.root
        ? await run(bundle, ["--bundle-info"])
        : await asUser(bundle, ["--bundle-info"], home);
      expect(info.stdout).toContain(shown);
      for (const { length } of [stderr, info.stdout].map(
        (text) => text.match(/(?!\n)\p{Cc}/gu) ?? [],
      ))
        expect(length).toBe(0);
    }
    const passwd = `${evil.replace("\n", "")}:x:0:0:root:/root:/bin/sh\n`;
    const port = `79${evil}/tcp`;
    const doctored = await rootBundle({ "etc/passwd": passwd }, { ports: [bytes(port)] });
    const doctor = starter.root
      ? await run(doctored, ["--bundle-doctor"])
      : await asUser(doctored, ["--bundle-doctor"], home);
    expect(doctor.stdout).toContain(
      "of the image, \\x1b]0;x\\x07\\xc2\\x9b2J\\xe2\\x80\\xae[E_FAKE]\n",
    );
    if (!starter.root) expect(doctor.stdout).toContain(`port        79${shown}/tcp is closed`);
    expect(doctor.stdout.match(/(?!\n)\p{Cc}/gu)).toBeNull();
    const empty = await rootBundle({}, { cmd: [""] });
    const named = await startRoot(starter, empty, [], [], home);
    expect(named.stderr).toMatch(/E_COMMAND_NOT_FOUND.*the image names no program/);
  });

  // Whoever has one user is the owner of every file.
  const ofRoot = starter.root ? test : () => {};
  ofRoot("says where it may not look for a program", async () => {
    const home = homeFor(starter);
    const closed = await rootBundle({ "closed/there": "x" }, {}, (dir) =>
      chmodSync(path.join(dir, "closed"), 0o700),
    );
    const options = ["-u", "web", "-e", "PATH=/bin:/closed"];
    const found = await startRoot(starter, closed, options, ["there"], home);
    expect(found).toMatchObject({ status: 127 });
    expect(found.stderr).toContain(
      "there: not found; this user may not search a folder of PATH: /closed",
    );
    const named = await startRoot(starter, closed, options, ["/closed/there"], home);
    expect(named).toMatchObject({ status: 126 });
    expect(named.stderr).toContain("/closed/there: Permission denied");
  });

  test("starts in any directory of the image, which is made where that is in memory", async () => {
    const home = homeFor(starter);
    const linked = await rootBundle({
      "var/run": { link: "/run" },
      "var/tmp": { link: "../tmp" },
      "srv/own": "a file\n",
    });
    const deep = `/d${"/d".repeat(2030)}`;
    const made = ["/new/dir", "/new//slash//", "/tmp/a/b", "/run/a/b", "/var/run/c", "/var/tmp/c"];
    for (const dir of [...made, deep, home]) {
      const where = await startRoot(starter, linked, ["-w", dir], ["sh", "-c", "pwd -P"], home);
      const expected = dir.replace("/var/", "/").replace(/\/+/g, "/").replace(/\/$/, "");
      expect(where).toMatchObject({ status: 0, stdout: `${expected}\n`, stderr: "" });
    }
    // What is the machine's, an image does not add to.
    for (const dir of [`${home}/made`, "/dev/made", "/sys/made", "/proc/made", "/srv/own"]) {
      const refused = await startRoot(starter, linked, ["-w", dir], ["true"], home);
      expect(refused.stderr).toMatch(/E_ROOT_SOURCE.*(No such file|Not a directory)/);
    }
    expect(existsSync(path.join(home, "made"))).toBe(false);
    const tooDeep = await startRoot(starter, linked, ["-w", "/d".repeat(3000)], ["true"], home);
    expect(tooDeep.stderr).toMatch(/E_ROOT_SOURCE.*Filename too long/);
  });

  test("keeps the machine out with --contain", async () => {
    const home = homeFor(starter);
    const script = `echo $$ $PPID; ls $HOME; pwd; echo "[$SECRET]"; ls /dev | tr '\\n' ' '; echo;
      ls /proc | grep -c '^[0-9]'; cat /proc/timer_list | wc -c; echo x > /dev/null && tty`;
    const outcome = await startRoot(starter, file, ["--contain"], ["sh", "-c", script], home, {
      env: { SECRET: "told" },
    });
    expect(outcome.stdout.split("\n").slice(0, 4)).toEqual([
      "2 1",
      "/",
      "[]",
      "fd full null ptmx pts random shm stderr stdin stdout tty urandom zero ",
    ]);
    expect(Number(outcome.stdout.split("\n")[4])).toBeLessThan(8);
    expect(outcome.stdout).toMatch(/\n0\n/);
  });

  test("leaves nothing behind, however it ends", async () => {
    const home = homeFor(starter);
    const left = watchRoot(file, home);
    const env = { FUSELAGE_LINGER: "0" };
    for (const options of [[], ["--pid"], ["--contain"]]) {
      await startRoot(starter, file, options, ["sh", "-c", "kill -KILL $$"], home, { env });
      await startRoot(starter, file, [...options, "-u", "nobody-here"], ["id"], home, { env });
      await startRoot(starter, file, options, ["sh", "-c", "sleep 0.2 & exit 0"], home, { env });
    }
    expect(await left()).toEqual(nothing);
  });
});
