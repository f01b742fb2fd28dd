/** Each word of the rules: what it allows works, and without it the same fails. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:net";
import path from "node:path";
import { afterAll, beforeAll, describe, expect } from "vitest";
import { fenced, fencedShell, fencedWays, startAs } from "../support/fenced.ts";
import { skipUnless } from "../support/needs.ts";
import { ordinaryUser, run } from "../support/process.ts";
import { checkOf, homeOf, imageOf, runnerOf, setuidRoot } from "../support/runner.ts";
import { temporaryDirectory } from "../support/temporary.ts";

let server: Server;
let port: number;
let image: string;

beforeAll(async () => {
  server = createServer((socket) => socket.end("served\n"));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  port = (server.address() as { port: number }).port;
  image = await imageOf({
    "bin/say": "#!/bin/sh\necho said; cat $HOME/mine\n",
    "bin/call": "#!/bin/sh\n/usr/bin/true && echo called\n",
    file: "packed\n",
  });
});
afterAll(() => server.close());

/** Python's, for what a shell cannot do: prints what came of it. */
const python = (body: string) => ["/usr/bin/python3", "-c", body];

describe.each(fencedWays)("a rule, $title,", (way) => {
  const test = skipUnless(...way.needs, "mksquashfs", "python3");

  /** What a script says, errors included, in a home with a file. */
  async function said(rules: string, script: string, where = (home: string) => home) {
    const home = homeOf(way);
    writeFileSync(path.join(home, "mine"), "my own\n", { mode: 0o644 });
    mkdirSync(path.join(home, "sub"), { mode: 0o777 });
    await run("chmod", ["777", path.join(home, "sub"), path.join(home, "mine")]);
    const merged = `exec 2>&1; ${script}`;
    const { stdout, stderr } = await fencedShell(way, rules, merged, home, { cwd: where(home) });
    return `${stdout}${stderr}`.trim();
  }
  const sub = (home: string) => path.join(home, "sub");

  test("fs home: the home is the user's, else an empty one that is gone at the end", async () => {
    expect(await said("fs:home:ro", "cat $HOME/mine; echo x > $HOME/mine")).toMatch(
      /^my own\n.*(Read-only file system|Permission denied)$/,
    );
    expect(await said("fs:home:rw", "echo x > $HOME/mine; cat $HOME/mine")).toBe("x");
    expect(await said("net:none", "ls -A $HOME; echo x > $HOME/new && cat $HOME/new")).toBe("x");
    expect(await said("net:none", "cat $HOME/mine")).toContain("No such file");
  });

  test("fs cwd: the directory, but never the home by that word", async () => {
    expect(await said("fs:cwd:rw", "pwd -P; echo x > a; cat a", sub)).toMatch(/\/sub\nx$/);
    expect(await said("fs:cwd:ro", "echo x > a", sub)).toMatch(/Read-only|Permission denied/);
    expect(await said("fs:cwd:rw", "cat mine")).toContain("No such file");
    expect(await said("net:none", 'pwd; echo "$PWD"', sub)).not.toContain("/sub");
  });

  skipUnless(...way.needs, "root")(
    "fs cwd: nor the home and the runtime directory that the machine knows",
    async () => {
      const { uid, gid } = way.root ? { uid: 0, gid: 0 } : ordinaryUser();
      const home = homeOf(way);
      const passwd = path.join(temporaryDirectory(), "passwd");
      mkdirSync(path.join(home, "sub"));
      const script =
        'mount --bind "$0" /etc/passwd && mount -t tmpfs none /run && mkdir -p /run/user/$1/sub && cd "$2" && shift 2 && exec "$@"';
      const drop = ["setpriv", "--reuid", `${uid}`, "--regid", `${gid}`, "--clear-groups"];
      /** What is in the directory by that word, where a user's home is `known`. */
      const listed = async (cwd: string, known: string, HOME?: string) => {
        writeFileSync(passwd, `other:x:7:7::/:/bin/sh\nuser:x:${uid}:${gid}::${known}:/bin/sh\n`);
        const words = ["--mount", "sh", "-c", script, passwd, `${uid}`, cwd, ...drop];
        const { stdout } = await run(
          "unshare",
          [...words, runnerOf(way), "--sandbox=fs:cwd:ro", "ls", "-A", cwd],
          {
            env: {
              HOME,
              FUSELAGE_HOME: undefined,
              FUSELAGE_MOUNT: undefined,
              XDG_RUNTIME_DIR: undefined,
              FUSELAGE_SANDBOX: undefined,
            },
          },
        );
        return stdout;
      };
      for (const HOME of [undefined, "", "/nonexistent", homeOf(way)]) {
        expect([HOME, await listed(home, home, HOME)]).toEqual([HOME, ""]);
        expect([HOME, await listed(home, `${home}/sub`, HOME)]).toEqual([HOME, ""]);
        expect([HOME, await listed(home, "/elsewhere", HOME)]).toEqual([HOME, "sub\n"]);
        expect([HOME, await listed(`/run/user/${uid}`, "/elsewhere", HOME)]).toEqual([HOME, ""]);
      }
    },
  );

  test("what may be read around what may be changed stays as it is, in private directories too", async () => {
    const home = homeOf(way);
    await startAs(way, ["sh", "-c", "mkdir -p sub && echo x > sub/file && echo x > mine"], home, {
      cwd: home,
    });
    /** All that can be changed of it without a look into sub. */
    const state = () => {
      const { mode, mtimeMs, ctimeMs } = statSync(`${home}/mine`);
      const names = readdirSync(home).filter((name) => name !== ".fuselage");
      return { names, mode, mtimeMs, ctimeMs, text: readFileSync(`${home}/mine`, "utf8") };
    };
    const script = `cd "$1"; echo y >> mine; chmod 600 mine; touch -d 2001-01-01 mine; chgrp 0 mine; echo x > new
      ln mine other; mv mine away; mv sub gone; mkdir folder
      echo x > sub/file; chmod 640 sub/file; test -e "$2" || { echo x > sub/a && mv sub/a sub/b; }; cat sub/file`;
    const before = state();
    for (const around of ["fs:home:ro", `fs:${home}:ro`, `fs:${path.dirname(home)}:ro`]) {
      for (const within of ["fs:cwd:rw", `fs:${home}/sub:rw`, `fs:${home}/sub/file:rw`]) {
        const rules = `${around},${within},exec:host`;
        writeFileSync(`${home}/sub/file`, "y\n");
        chmodSync(`${home}/sub/file`, 0o666);
        const only = within.endsWith("file:rw") ? home : "/nothing";
        const { stdout } = await fenced(way, rules, ["sh", "-c", script, "sh", home, only], home, {
          cwd: `${home}/sub`,
        });
        expect({ rules, stdout, ...state() }).toEqual({ rules, stdout: "x\n", ...before });
        expect(statSync(`${home}/sub/file`).mode & 0o777).toBe(0o640);
      }
    }
  });

  test("fs cwd: neither what users and programs share, nor the bundle that is in it", async () => {
    const secret = `fuselage-shared-${way.title.replaceAll(/\W/g, "-")}`;
    for (const shared of ["/tmp", "/var/tmp", "/dev/shm"]) {
      const { stdout } = await fencedShell(way, "fs:cwd:rw", `ls; echo x > ${secret}`, undefined, {
        cwd: shared,
      });
      expect(stdout).toBe("");
      expect(existsSync(path.join(shared, secret))).toBe(false);
    }
    const home = homeOf(way);
    const dir = path.join(home, "sub/deep");
    await startAs(way, ["mkdir", "-p", dir], home);
    await startAs(way, ["cp", runnerOf(way), `${dir}/runner`], home);
    const change = [
      "echo x >> deep/runner",
      "mv deep/runner deep/other",
      "rm -f deep/runner",
      "mv deep away",
      "chmod 700 deep/runner",
      "ln -f /dev/null deep/runner",
      "echo y > deep/new && mv deep/new deep/newer && cat deep/newer",
    ].join("; ");
    const command = [`${dir}/runner`, "--sandbox=fs:cwd:rw", "sh", "-c", change];
    const tried = await startAs(way, command, home, { cwd: path.dirname(dir) });
    expect(tried.stdout).toBe("y\n");
    expect(readFileSync(`${dir}/runner`)).toEqual(readFileSync(runnerOf(way)));
    expect(statSync(`${dir}/runner`).mode & 0o777).toBe(0o755);
  });

  test("each way to what is started from is held once, whatever lies on it", async () => {
    const home = homeOf(way);
    const dir = path.join(home, "sub/deep");
    await startAs(way, ["mkdir", "-p", `${dir}/more`], home);
    for (const file of ["a", "more/b"]) await startAs(way, ["cp", image, `${dir}/${file}`], home);
    await startAs(way, ["cp", runnerOf(way), `${dir}/runner`], home);
    const archives = [`--static=a:${dir}/a`, `--static=b:${dir}/more/b`];
    const script = "cut -d' ' -f5 /proc/self/mountinfo; mv deep away; mv deep/more deep/less";
    const command = [`${dir}/runner`, "--sandbox=fs:cwd:rw", ...archives, "sh", "-c", script];
    const { stdout, stderr } = await startAs(way, command, home, { cwd: path.dirname(dir) });
    const places = stdout.split("\n").filter((place) => place.startsWith(dir));
    expect(places.sort()).toEqual(
      ["", "/a", "/more", "/more/b", "/runner"].map((name) => dir + name),
    );
    expect(stderr).toMatch(/deep'? to '?away'?: .*busy[\s\S]*more'? to '?.*less'?: .*busy/);
  });

  test("private directories have the modes that programs expect, and one memory", async () => {
    const script =
      "stat -c %a /tmp /var/tmp /dev/shm $HOME; stat -c %d /tmp /dev/shm $HOME $FUSELAGE_TMPDIR; umask";
    const command = [runnerOf(way), "--sandbox", `--static=app:${image}`, "sh", "-c", script];
    const inMask = ["sh", "-c", 'umask 077; exec "$@"', "sh", ...command];
    const { stdout } = await startAs(way, inMask, homeOf(way));
    const lines = stdout.trim().split("\n");
    expect(lines.slice(0, 4)).toEqual(["1777", "1777", "1777", "700"]);
    expect(new Set(lines.slice(4, 8)).size).toBe(1);
    expect(lines.slice(8)).toEqual(["0077"]);
  });

  test("terminals: the own one, and those that the app makes", async () => {
    const script = "tty; stty size; tty < /dev/pts/ptmx; script -qec tty /dev/null; ls /dev/pts";
    const inner = [runnerOf(way), "--sandbox", "sh", "-c", script]
      .join(" ")
      .replace(script, `'${script}'`);
    const { stdout } = await startAs(way, ["script", "-qec", inner, "/dev/null"], homeOf(way));
    expect(stdout.replaceAll("\r", "")).toMatch(
      /^\/dev\/console\n\d+ \d+\n.*\/dev\/pts\/0\nptmx\n$/s,
    );
  });

  test("fs PATH: what is at the path, to be read or written", async () => {
    const [open, other] = [temporaryDirectory(), temporaryDirectory()];
    for (const dir of [open, other]) writeFileSync(path.join(dir, "file"), "there\n");
    await run("chmod", ["-R", "777", open, other]);
    const use = (word: string) =>
      `cat ${open}/file; echo ${word} > ${open}/file; cat ${open}/file; cat ${other}/file`;
    expect(await said(`fs:${open}:rw`, use("new"))).toMatch(/^there\nnew\ncat: .*No such file/);
    expect(await said(`fs:${open}:ro`, use("newer"))).toMatch(/^new\n.*\n?new\ncat: /);
    expect(await said(`fs:${open}/file:ro`, use("newer"))).toMatch(/^new\n.*\n?new\ncat: /);
    expect(await said(`fs:/nothing/there:ro,fs:${open}:ro`, `cat ${open}/file`)).toBe("new");
    const same = await said(`fs:${open}:ro,fs:${open}:rw`, `echo y > ${open}/file && echo wrote`);
    expect(same).toBe("wrote");
  });

  test("fs downloads, fs app-data: the user's directories of these names", async () => {
    const files = [
      "mkdir -p $HOME/Downloads $HOME/Got $HOME/.config",
      "echo d > $HOME/Downloads/f; echo g > $HOME/Got/f",
    ].join(";");
    const home = homeOf(way);
    const options = {
      env: { XDG_CONFIG_HOME: undefined, XDG_DATA_HOME: undefined, XDG_CACHE_HOME: undefined },
    };
    await startAs(way, ["sh", "-c", files], home);
    const cat = "cat $HOME/Downloads/f $HOME/Got/f";
    const ask = async (rules: string, script: string) =>
      (await fencedShell(way, rules, script, home, options)).stdout.trim();
    expect(await ask("fs:downloads:ro", cat)).toBe("d");
    const dirs = "echo 'XDG_DOWNLOAD_DIR=\"$HOME/Got\"' > $HOME/.config/user-dirs.dirs";
    await startAs(way, ["sh", "-c", dirs], home);
    expect(await ask("fs:downloads:ro", cat)).toBe("g");
    const keep = [
      "--static",
      `app:${image}`,
      "sh",
      "-c",
      "echo kept >> $XDG_DATA_HOME/f; cat $XDG_DATA_HOME/f; mkdir -p $HOME/.config/app; echo x > $HOME/.config/app/f",
    ];
    for (const lines of ["kept\n", "kept\nkept\n"]) {
      const { stdout } = await fenced(way, "fs:app-data:rw", keep, home, options);
      expect(stdout).toBe(lines);
    }
    const data = ".local/share/fuselage/apps/app/data/f";
    const there = await startAs(way, ["sh", "-c", `cat ${data}; ls .config`], home, { cwd: home });
    // What it wrote elsewhere was its own: a bundle may call itself autostart.
    expect(there.stdout).toBe("kept\nkept\nuser-dirs.dirs\n");
    const none = await fenced(way, "net:none", keep, home, options);
    expect(none.stdout).toBe("");
  });

  const connect = (to: number) =>
    `import socket\ntry:\n  s = socket.create_connection(('127.0.0.1', ${to}))\n  print(s.recv(9).decode().strip())\n` +
    "except OSError as error: print(error.errno)";
  const EACCES = "13";
  const asked = async (rules: string, body: string) =>
    (await fenced(way, rules, python(body))).stdout.trim();

  test("net: none, ports, all", async () => {
    expect(await asked("net:none", connect(port))).toBe(EACCES);
    expect(await asked("exec:host", connect(port))).toBe(EACCES);
    expect(await asked("net:all", connect(port))).toBe("served");
    expect(await asked(`net:connect:${port}`, connect(port))).toBe("served");
    expect(await asked("net:connect:1", connect(port))).toBe(EACCES);
    expect(await asked("net:listen:0", connect(port))).toBe(EACCES);
    const listen = (to: number) =>
      `import socket\ns = socket.socket()\ntry:\n  s.bind(('127.0.0.1', ${to})); s.listen(); print('listens')\n` +
      "except OSError as error: print(error.errno)";
    expect(await asked("net:listen:0", listen(0))).toBe("listens");
    expect(await asked("net:listen:1,net:connect:1", listen(0))).toBe(EACCES);
    expect(await asked("net:all", listen(0))).toBe("listens");
  });

  test("net udp: datagrams beside ports", async () => {
    const send =
      "import socket\ntry:\n  socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 9)); print('sent')\n" +
      "except OSError as error: print(error.errno)";
    expect(await asked("net:connect:1,net:udp", send)).toBe("sent");
    expect(await asked("net:connect:1", send)).toBe(EACCES);
    expect(await asked("net:all", send)).toBe("sent");
  });

  test("devices: those of a kind, and the standard ones always", async () => {
    const open = (device: string) =>
      `import os\ntry:\n  os.open('${device}', os.O_RDONLY); print('open')\nexcept OSError as error: print(error.errno)`;
    expect(await asked("net:none", open("/dev/null"))).toBe("open");
    expect(await asked("net:none", open("/dev/urandom"))).toBe("open");
    expect(await asked("net:none", open("/dev/fuse"))).toBe(EACCES);
    expect(await asked("devices:gpu,devices:audio,devices:input", open("/dev/fuse"))).toBe(EACCES);
  });

  test("ipc x11, ipc wayland: the socket, in private directories", async () => {
    const runtime = homeOf(way);
    await startAs(
      way,
      python(`import socket; socket.socket(socket.AF_UNIX).bind('${runtime}/wayland-0')`),
      runtime,
    );
    const env = { XDG_RUNTIME_DIR: runtime, WAYLAND_DISPLAY: "wayland-0" };
    const list = async (rules: string) =>
      (await fencedShell(way, rules, "ls $XDG_RUNTIME_DIR", undefined, { env })).stdout.trim();
    expect(await list("ipc:wayland")).toBe("wayland-0");
    expect(await list("net:none")).toBe("");
  });

  skipUnless(...way.needs, "root")(
    "ipc x11: nothing else shows sockets of displays, whatever of files is allowed",
    async () => {
      const { uid, gid } = way.root ? { uid: 0, gid: 0 } : ordinaryUser();
      const script =
        'mkdir -p -m 1777 "$0" && mount -t tmpfs none "$0" && touch "$0/X0" && chmod 1777 "$0" && exec "$@"';
      const sockets = "/tmp/.X11-unix";
      const drop = ["setpriv", "--reuid", `${uid}`, "--regid", `${gid}`, "--clear-groups"];
      const listed = async (rules: string) => {
        const words = ["--mount", "sh", "-c", script, sockets, ...drop, runnerOf(way)];
        const env = { HOME: homeOf(way), FUSELAGE_SANDBOX: undefined, FUSELAGE_MOUNT: undefined };
        const { stdout } = await run("unshare", [...words, `--sandbox=${rules}`, "ls", sockets], {
          env,
        });
        return stdout;
      };
      expect(await listed("ipc:x11")).toBe("X0\n");
      for (const rules of ["fs:/tmp:rw", "fs:/tmp:ro", "fs:/:rw", "fs:/:ro", "net:none"])
        expect([rules, await listed(rules)]).toEqual([rules, ""]);
      expect(await listed("fs:/tmp:rw,ipc:x11")).toBe("X0\n");
    },
  );

  test("exec: programs of the image alone, or the machine's", async () => {
    const app = (rules: string, program: string) =>
      fenced(way, rules, [`--static=app:${image}`, "--run", program]);
    expect((await app("exec:own", "bin/say")).stdout).toBe("said\n");
    const own = await app("exec:own", "bin/call");
    expect(own.stderr).toContain("Permission denied");
    expect((await app("exec:host", "bin/call")).stdout).toBe("called\n");
    // Without a rule: as the program is the image's, or the machine's.
    expect((await app("net:none", "bin/call")).stderr).toContain("Permission denied");
    expect(await said("net:none", "/usr/bin/true && echo called")).toBe("called");
    const refused = await fenced(way, "exec:own", ["/usr/bin/true"]);
    expect(refused.stderr).toContain("E_COMMAND_NOT_EXECUTABLE");
  });

  test("debug: an own child is traced", async () => {
    const trace =
      "import ctypes, os, signal, time\nlibc = ctypes.CDLL(None, use_errno=True)\npid = os.fork()\n" +
      "if pid == 0: time.sleep(9)\nprint(libc.ptrace(0x4206, pid, None, None), ctypes.get_errno())\nos.kill(pid, signal.SIGKILL)";
    expect(await asked("debug", trace)).toBe("0 0");
    expect(await asked("net:none", trace)).toBe("-1 1");
  });

  test("userns: a user namespace, and no mount in it", async () => {
    const make =
      "unshare --user true && echo made; unshare --user --map-root-user --mount true; echo $?";
    expect(await said("userns", make)).toMatch(/^made\n/);
    expect(await said("net:none", make)).not.toContain("made");
    if (way.root) return;
    // Its maps can be written, and nothing of the kernel's.
    const map = "unshare -Ur id -u; echo x >/proc/sys/kernel/hostname; cat /proc/1/environ";
    expect(await said("userns", map)).toMatch(/^0\n.*hostname: .*denied\n.*environ.*denied$/);
  });

  test("pid, netns, ipcns: namespaces of its own", async () => {
    const namespaces = (
      await run(
        "readlink",
        ["pid", "net", "ipc"].map((name) => `/proc/self/ns/${name}`),
      )
    ).stdout
      .trim()
      .split("\n");
    const read = "for n in pid net ipc; do readlink /proc/self/ns/$n; done";
    const list = async (rules: string) => (await said(rules, read)).split("\n");
    expect(await list("net:none")).toEqual(namespaces);
    const inside = await list("pid,netns,ipcns");
    expect(inside).toHaveLength(3);
    for (const name of namespaces) expect(inside).not.toContain(name);
    expect(await said("pid", "ls -d /proc/[0-9]* | wc -l; kill -9 1; echo $$")).toMatch(/^[1-9]\n/);
    const shm = "ipcmk -M 4096 >/dev/null 2>&1 && echo made";
    expect(await said("ipcns", shm)).toBe("made");
    expect(await said("net:none", shm)).toBe("");
    expect(await asked("netns,net:all", connect(port))).toBe("111");
  });

  test("Node starts, and meets refusals as errors of its own", async () => {
    const script = `
      const net = require("net"), fs = require("fs"), os = require("os"), { Worker } = require("worker_threads");
      const said = [os.userInfo().uid, fs.readdirSync(os.homedir()).length, os.cpus().length > 0];
      try { fs.readdirSync("/var/lib"); } catch (error) { said.push(error.code); }
      fs.writeFileSync(os.tmpdir() + "/file", "x");
      said.push(require("child_process").execFileSync("/bin/echo", ["child"]).toString().trim());
      new Worker('require("worker_threads").parentPort.postMessage("worker")', { eval: true }).on("message", (word) => {
        said.push(word);
        const refused = (error) => (said.push(error.code), console.log(said.join()));
        net.connect(${port}, "127.0.0.1").on("error", refused);
      });`;
    const rules = `exec:host,fs:${path.dirname(process.execPath)}:ro`;
    const { stdout, stderr } = await fenced(way, rules, [process.execPath, "-e", script]);
    const uid = way.root ? 0 : ordinaryUser().uid;
    expect(stderr).toBe("");
    expect(stdout).toBe(`${uid},0,true,EACCES,child,worker,EACCES\n`);
  });

  test("the process, its end and its signals are the app's own", async () => {
    const home = homeOf(way);
    for (const rules of ["", "pid"]) {
      expect(await fencedShell(way, rules, "exit 42", home)).toMatchObject({ status: 42 });
      expect(await fencedShell(way, rules, "kill -9 $$", home)).toMatchObject({
        signal: "SIGKILL",
      });
      expect(await fencedShell(way, rules, "kill -TERM $$", home)).toMatchObject({
        signal: "SIGTERM",
      });
    }
    const script = 'echo $$; exec "$0" --sandbox sh -c "echo \\$\\$"';
    const [outer, inner] = (
      await startAs(way, ["sh", "-c", script, runnerOf(way)], home)
    ).stdout.split("\n");
    expect(inner).toBe(outer);
  });

  test("a service manager's sockets stay, other descriptors do not", async () => {
    const script = 'exec 3</dev/null 4</dev/null 5</dev/null; LISTEN_PID=$$ LISTEN_FDS=2 exec "$@"';
    const list = [
      runnerOf(way),
      "--sandbox",
      "python3",
      "-c",
      "import os; print([n for n in range(3, 20) if os.path.exists(f'/proc/self/fd/{n}')])",
    ];
    const { stdout } = await startAs(way, ["sh", "-c", script, "sh", ...list], homeOf(way));
    expect(stdout.trim()).toBe("[3, 4]");
  });

  test("the private directories of one start are not another's", async () => {
    const home = homeOf(way);
    const env = { FUSELAGE_LINGER: "5" };
    const start = (script: string, rules = "net:none") =>
      fenced(way, rules, [`--static=app:${image}`, "sh", "-c", script], home, { env });
    writeFileSync(path.join(home, "mine"), "my own\n");
    const script =
      "cat $FUSELAGE_STATIC/app/file; ls -A $HOME /tmp | grep -c own; echo own > /tmp/own; echo own > $HOME/own";
    expect((await start(script)).stdout).toBe("packed\n0\n");
    expect((await start(script)).stdout).toBe("packed\n0\n");
    expect((await start("cat $HOME/mine", "fs:home:ro")).stdout).toBe("my own\n");
    const outside = await startAs(
      way,
      [runnerOf(way), `--static=app:${image}`, "cat", path.join(home, "mine")],
      home,
      { env },
    );
    expect(outside.stdout).toBe("my own\n");
  });

  const strategies = way.root ? ["loop", "fuse", "extract"] : ["fuse", "fusermount", "extract"];
  for (const type of strategies)
    test(`holds by ${type}`, async () => {
      const home = homeOf(way);
      writeFileSync(path.join(home, "mine"), "my own\n");
      const args = [
        "--mount-type",
        type,
        `--static=app:${image}`,
        "sh",
        "-c",
        "cat $FUSELAGE_STATIC/app/file; echo x > $FUSELAGE_TMPDIR/f && cat $FUSELAGE_TMPDIR/f; cat $HOME/mine; ls /var/lib",
      ];
      const { stdout, stderr } = await fenced(way, "", args, home, { cwd: "/" });
      expect(stdout).toBe("packed\nx\n");
      expect(stderr).toMatch(
        /mine: (No such file|Permission denied)[\s\S]*\/var\/lib.*: Permission denied/,
      );
    });
});

describe("setuid-root, as a user", () => {
  const test = checkOf(setuidRoot);

  test("a start in a sandbox is the user's alone", async () => {
    const { stdout } = await run(
      "setpriv",
      [
        "--reuid",
        "1000",
        "--regid",
        "1000",
        "--clear-groups",
        runnerOf(setuidRoot),
        "--sandbox",
        "sh",
        "-c",
        "id -u; cat /proc/self/uid_map",
      ],
      { env: { HOME: homeOf(setuidRoot), FUSELAGE_SANDBOX: undefined } },
    );
    expect(stdout).toMatch(/^1000\n\s*1000\s+1000\s+1\n$/);
  });
});
