/** What a sandbox shows of /etc: all that its user may read, and to root and under `strict` a few files. */
import { chmodSync, copyFileSync } from "node:fs";
import path from "node:path";
import { describe, expect } from "vitest";
import { fencedShell, fencedWays } from "../support/fenced.ts";
import { skipUnless } from "../support/needs.ts";
import { ordinaryUser, run } from "../support/process.ts";
import { compile } from "../support/process-state.ts";
import { asOrdinary, homeOf, runnerOf } from "../support/runner.ts";
import { temporaryDirectory } from "../support/temporary.ts";

describe.each(fencedWays)("settings of the machine, $title,", (way) => {
  const test = skipUnless(...way.needs);

  /** Whether each file can be read, in order. */
  async function readable(rules: string, ...files: string[]) {
    const script = `for f in ${files.join(" ")}; do (read -r line <$f) 2>/dev/null; echo $?; done`;
    const { stdout } = await fencedShell(way, rules, script);
    return stdout
      .trim()
      .split("\n")
      .map((status) => status === "0");
  }

  test("are what the user may read of them, and under strict those that programs need", async () => {
    const needed = ["/etc/passwd", "/etc/group", "/etc/nsswitch.conf"];
    const others = ["/etc/hostname", "/etc/shadow"];
    const of = (rules: string) => readable(rules, ...needed, ...others);
    expect(await of("net:none")).toEqual([true, true, true, !way.root, false]);
    expect(await of("strict,net:none")).toEqual([true, true, true, false, false]);
    // Who names it has it, as far as files let them.
    expect(await of("strict,fs:/etc:ro")).toEqual([true, true, true, true, way.root === true]);
    expect(await readable("strict,net:connect:1", "/etc/hosts")).toEqual([true]);
    expect(await readable("strict,net:none", "/etc/hosts")).toEqual([false]);
  });

  skipUnless(...way.needs, "root")(
    "that are replaced while the app runs are still there, but for root",
    async () => {
      const { uid, gid } = way.root ? { uid: 0, gid: 0 } : ordinaryUser();
      const drop = ["setpriv", "--reuid", `${uid}`, "--regid", `${gid}`, "--clear-groups"];
      // The app reads, waits for a line, and reads again: in between another file takes the name.
      const app =
        "read -r line </etc/hosts; echo $line; read -r go; read -r line </etc/hosts; echo $line";
      const script = `mount -t tmpfs -o mode=0755 none "$0" && cp -a /etc/. "$0" && mount --bind "$0" /etc &&
        rm -f /etc/hosts && echo before >/etc/hosts && mkfifo "$0.go" && exec 3<>"$0.go" || exit 99
        "$@" <&3 2>&1 | {
          read -r first; echo "$first"
          echo after >/etc/hosts.new && mv /etc/hosts.new /etc/hosts; echo go >&3
          cat
        }`;
      const replaced = async (rules: string) => {
        const etc = path.join(temporaryDirectory(), "etc");
        await run("mkdir", [etc]);
        const command = [...drop, runnerOf(way), `--sandbox=${rules}`, "sh", "-c", app];
        const env = { HOME: homeOf(way), FUSELAGE_SANDBOX: undefined, FUSELAGE_MOUNT: undefined };
        const { stdout } = await run("unshare", ["--mount", "sh", "-c", script, etc, ...command], {
          env,
        });
        return stdout;
      };
      const gone = /^before\n.*\/etc\/hosts: Permission denied\n/;
      expect(await replaced("net:connect:1")).toMatch(way.root ? gone : /^before\nafter\n$/);
      expect(await replaced("strict,net:connect:1")).toMatch(gone);
      expect(await replaced("strict,net:connect:1,fs:/etc:ro")).toBe("before\nafter\n");
    },
  );
});

describe("a user with capabilities over files", () => {
  const test = skipUnless("root", "gcc", "setcap");

  test("has none in a sandbox, whatever program has them of its file", async () => {
    const dir = temporaryDirectory();
    const cat = path.join(dir, "cat");
    copyFileSync("/bin/cat", cat);
    chmodSync(cat, 0o755);
    await run("setcap", ["cap_dac_read_search+ep", cat]);
    // Without a namespace of its own, in which they would be good for nothing.
    const refuse = compile("support/refuse-calls.c", "-static");
    const { uid, gid } = ordinaryUser();
    const drop = ["setpriv", "--reuid", `${uid}`, "--regid", `${gid}`, "--clear-groups"];
    const having = ["--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search"];
    const read = async (...fence: string[]) => {
      const { status, stderr } = await run(
        refuse,
        ["0", "0", ...drop, ...having, ...fence, cat, "/etc/shadow"],
        {
          env: { HOME: homeOf(asOrdinary), FUSELAGE_SANDBOX: undefined, REFUSE_CALLS: "unshare" },
        },
      );
      return { status, refused: stderr.includes("/etc/shadow: Permission denied") };
    };
    expect(await read()).toEqual({ status: 0, refused: false });
    for (const rules of ["net:none", "fs:/:rw"])
      expect(await read(runnerOf(asOrdinary), `--sandbox=fs:${dir}:ro,exec:host,${rules}`)).toEqual(
        { status: 1, refused: true },
      );
  });
});

describe("where capset(2) is refused, as in services of systemd,", () => {
  const test = skipUnless("root", "gcc");

  test("a user has no capabilities in a sandbox all the same", async () => {
    const refuse = compile("support/refuse-calls.c", "-static");
    const { uid, gid } = ordinaryUser();
    const fence = [runnerOf(asOrdinary), "--sandbox=exec:host", "cat", "/proc/self/status"];
    // In a namespace of his own he has all of them until exec, and without one none.
    for (const calls of ["capset", "capset,unshare"]) {
      const env = { HOME: homeOf(asOrdinary), FUSELAGE_SANDBOX: undefined, REFUSE_CALLS: calls };
      const { stdout, stderr } = await run(refuse, [`${uid}`, `${gid}`, ...fence], { env });
      expect({ calls, stderr }).toEqual({ calls, stderr: expect.not.stringContaining("[E_") });
      expect(stdout.match(/^Cap(Inh|Prm|Eff|Amb):\t0{16}$/gm)).toHaveLength(4);
    }
  });
});
