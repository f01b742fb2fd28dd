/** What a sandbox shows of /etc: all that its user may read, and to root and under `strict` a few files. */
import path from "node:path";
import { describe, expect } from "vitest";
import { fencedShell, fencedWays } from "../support/fenced.ts";
import { skipUnless } from "../support/needs.ts";
import { ordinaryUser, run } from "../support/process.ts";
import { homeOf, runnerOf } from "../support/runner.ts";
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
