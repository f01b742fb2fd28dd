/**
 * `ipc dbus NAME`, by a bus of the test's own with two services on it: what rules name answers, and nothing else does
 * by any way to the bus.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, symlinkSync } from "node:fs";
import path from "node:path";
import { afterEach, describe, expect } from "vitest";
import { bundleOf } from "../support/bundle-of.ts";
import { fencedShell, fencedWays, give, startAs } from "../support/fenced.ts";
import { skipUnless } from "../support/needs.ts";
import { isRoot, ordinaryUser } from "../support/process.ts";
import { homeOf, imageOf, runnerOf } from "../support/runner.ts";

const running: ChildProcess[] = [];
afterEach(async () => {
  for (const child of running.splice(0)) {
    if (child.exitCode !== null) continue;
    const ended = once(child, "close");
    child.kill();
    await ended;
  }
});

const ping = (name: string) =>
  `dbus-send --session --print-reply --reply-timeout=60000 --dest=${name} / org.example.A.B >/dev/null 2>&1 && echo ${name}`;
/** Which of the two answers. */
const both = `${ping("org.example.Yes")}; ${ping("org.example.No")}; true`;

describe.each(fencedWays)("the session's bus, $title,", (way) => {
  const test = skipUnless(...way.needs, "dbus", "mksquashfs");

  /** A bus and two services on it. */
  async function busAt(at: (runtime: string) => string) {
    const home = homeOf(way);
    const runtime = path.join(home, "rt");
    mkdirSync(runtime, { mode: 0o700 });
    give(way, runtime);
    const address = at(runtime);
    const env = { XDG_RUNTIME_DIR: runtime, DBUS_SESSION_BUS_ADDRESS: address };
    const start = (program: string, ...args: string[]) => {
      const child = spawn(program, args, {
        ...(way.root || !isRoot ? {} : ordinaryUser()),
        cwd: "/",
        env: { ...process.env, HOME: home, ...env },
        stdio: ["ignore", "pipe", "ignore"],
      });
      running.push(child);
      return child;
    };
    const bus = ["--session", "--nofork", "--nopidfile", "--print-address"];
    await once(start("dbus-daemon", ...bus, `--address=${address}`).stdout, "data");
    for (const name of ["Yes", "No"]) start("dbus-test-tool", "echo", `--name=org.example.${name}`);
    const ready = `until [ "$(${both})" = "org.example.Yes\norg.example.No" ]; do sleep 0.1; done`;
    expect(await startAs(way, ["sh", "-c", ready], home, { env })).toMatchObject({ status: 0 });
    const said = async (rules: string, script = both) => {
      const { stdout, stderr } = await fencedShell(way, `${rules},exec:host`, script, home, {
        env,
      });
      return `${stdout}${stderr}`;
    };
    return { home, runtime, env, address, said };
  }

  const atRuntime = (runtime: string) => `unix:path=${runtime}/bus`;

  test("answers for the names of rules, and for no others", async () => {
    const { said } = await busAt(atRuntime);
    expect(await said("ipc:dbus:org.example.Yes")).toBe("org.example.Yes\n");
    expect(await said("ipc:dbus:org.example.*")).toBe("org.example.Yes\norg.example.No\n");
    expect(await said("ipc:dbus:org.example.Yes,netns,pid")).toBe("org.example.Yes\n");
    expect(await said("net:none")).toBe("");
    expect(await said("strict,ipc:dbus:org.example.No")).toBe("org.example.No\n");
  });

  test("is not behind its own path, whatever files are allowed", async () => {
    const { home, runtime, address, said } = await busAt(atRuntime);
    const direct = `export DBUS_SESSION_BUS_ADDRESS=${address}; ${both}`;
    for (const rule of ["fs:/:rw", "fs:home:rw", `fs:${runtime}:rw`, "net:none"])
      expect(await said(`${rule},ipc:dbus:org.example.Yes`, direct)).toBe("org.example.Yes\n");
    const list = `ls -A ${runtime} $FUSELAGE_TMPDIR; test -S ${runtime}/bus && echo socket`;
    expect(await said("ipc:dbus:org.example.Yes", list)).toMatch(
      /\nbus\nsocket\n$|^bus\nsocket\n$/,
    );
    expect(existsSync(path.join(home, "rt/bus"))).toBe(true);
  });

  test("is covered itself where it is found by a link", async () => {
    const { home, said, env, address } = await busAt(
      (runtime) => `unix:path=${path.dirname(runtime)}/socket`,
    );
    symlinkSync("socket", path.join(home, "link"));
    env.DBUS_SESSION_BUS_ADDRESS = `unix:path=${home}/link`;
    const direct = `${both}; DBUS_SESSION_BUS_ADDRESS=${address}; ${both}`;
    expect(await said("fs:home:rw,ipc:dbus:org.example.Yes", direct)).toBe(
      "org.example.Yes\norg.example.Yes\n",
    );
  });

  test("is out of reach where the bundle's folders may hide the machine's proxy", async () => {
    const { home, env } = await busAt(atRuntime);
    const image = await imageOf({
      run: '#!/bin/sh\nexec "$@"\n',
      "bin/xdg-dbus-proxy": `#!/bin/sh\ntouch ${home}/taken\n`,
    });
    const sandbox = ["ipc dbus org.example.Yes", "exec host"];
    for (const place of ["/usr/local/bin", "/usr/local/lib"]) {
      const file = await bundleOf(image, { sandbox, maps: [`bin=!${place}`] });
      const { stdout, stderr } = await startAs(way, [file, "sh", "-c", both], home, { env });
      expect(stdout).toBe("");
      expect(stderr).toContain("folders of the bundle lie over the machine's");
    }
    expect(existsSync(path.join(home, "taken"))).toBe(false);
  });

  test("nor behind one elsewhere, nor at an abstract socket", async () => {
    const other = await busAt((runtime) => `unix:path=${path.dirname(runtime)}/socket`);
    const direct = `${both}; DBUS_SESSION_BUS_ADDRESS=${other.address}; ${both}`;
    expect(await other.said("fs:home:rw,ipc:dbus:org.example.Yes", direct)).toBe(
      "org.example.Yes\norg.example.Yes\n",
    );
    const name = `fuselage-test-${path.basename(other.home)}`;
    const abstract = await busAt(() => `unix:abstract=${name}`);
    const straight = `${both}; DBUS_SESSION_BUS_ADDRESS=${abstract.address}; ${both}`;
    expect(await abstract.said("ipc:dbus:org.example.Yes", straight)).toBe("org.example.Yes\n");
    expect(await abstract.said("ipc:x11,ipc:dbus:org.example.Yes")).toContain(
      "the bus is at an abstract socket, which is open here",
    );
  });

  test("is asked by the machine's proxy, which ends with the app, and not by one of the bundle's", async () => {
    const { home, env, address } = await busAt(atRuntime);
    const image = await imageOf({
      run: '#!/bin/sh\nexec "$@"\n',
      "xdg-dbus-proxy": `#!/bin/sh\ntouch ${home}/taken\n`,
    });
    const sandbox = ["ipc dbus org.example.Yes", "exec host"];
    const variables = [
      "PATH=$" + "{FUSELAGE_BUNDLE_DIR}:/usr/bin:/bin",
      "DBUS_SESSION_BUS_ADDRESS=unixexec:path=/bin/touch,argv1=taken",
      // The loader of a program that has these writes files beside the second.
      "LD_DEBUG=libs",
      `LD_DEBUG_OUTPUT=${home}/taken`,
    ];
    const file = await bundleOf(image, { sandbox, env: variables });
    const { stdout } = await startAs(way, [file, "sh", "-c", both], home, { env });
    expect(stdout).toBe("org.example.Yes\n");
    expect(readdirSync(home).filter((name) => name.startsWith("taken"))).toEqual([]);
    const left = `while ps -eo stat,args | grep -v '^Z' | grep -q "[x]dg-dbus-proxy.*${address}"; do sleep 0.1; done`;
    expect(await startAs(way, ["sh", "-c", left], home)).toMatchObject({ status: 0 });
  });

  const testWithout = skipUnless(...way.needs, "dbus", "root");

  testWithout("is out of reach without a proxy, in words", async () => {
    const { home, env } = await busAt(atRuntime);
    const image = await imageOf({ file: "packed\n" });
    const hidden = (word: string, ...args: string[]) =>
      startAs(
        { ...way, root: true },
        [
          "sh",
          "-c",
          'mount --bind /dev/null /usr/bin/xdg-dbus-proxy && exec "$@"',
          "sh",
          ...(way.root ? [] : ["setpriv", "--reuid", "1000", "--regid", "1000", "--clear-groups"]),
          runnerOf(way),
          `--sandbox=${word}exec:host,ipc:dbus:org.example.Yes`,
          ...args,
        ],
        home,
        { env },
      );
    const on = await hidden("", "sh", "-c", both);
    expect(on).toMatchObject({ status: 0, stdout: "" });
    expect(on.stderr).toMatch(
      /^fuselage: sandbox: ipc dbus: no xdg-dbus-proxy in \/usr\/bin .*\n$/,
    );
    expect((await hidden("strict,", "true")).stderr).toMatch(
      /\[E_SANDBOX_STRICT\] ipc dbus cannot be fenced in here: no xdg-dbus-proxy/,
    );
    expect((await hidden("", "--doctor=text", `--static=app:${image}`)).stdout).toMatch(
      /^ {2}open {6}ipc dbus: no xdg-dbus-proxy/m,
    );
  });
});
