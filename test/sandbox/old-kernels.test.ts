/** Kernels without Landlock, with an older one, and without user namespaces: `on` goes on, `strict` does not. */
import { writeFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect } from "vitest";
import {
  type Attempts,
  fencedNeeds,
  prison,
  startAs,
  tryEscapes,
  victimOf,
} from "../support/fenced.ts";
import { skipUnless } from "../support/needs.ts";
import { ordinaryUser, run } from "../support/process.ts";
import { compile } from "../support/process-state.ts";
import { asOrdinary, homeOf, runnerOf } from "../support/runner.ts";

let older: string;
let refuse: string;
beforeAll(() => {
  older = compile("support/older-landlock.c", "-static");
  refuse = compile("support/refuse-calls.c", "-static");
});

/** What each version closes, by attempts that are open before it. */
const since: Record<number, string[]> = {
  // Memory of others is closed by the user namespace, too.
  1: ["list /var/lib"],
  4: ["TCP", "bind"],
  6: ["kill", "pidfd_send_signal", "abstract stream socket", "abstract datagram socket"],
};

const way = asOrdinary;
const test = skipUnless(...fencedNeeds(way));

describe.each([0, 1, 3, 4, 6])("with version %i of Landlock", (version) => {
  test("what it has is closed, and nothing else is opened", async () => {
    const place = prison(way);
    const victim = await victimOf(way, place);
    const rules = `fs:${place.work}:rw,fs:${place.programs}:ro,net:connect:1`;
    const command = [older, `${version}`, runnerOf(way), `--sandbox=${rules}`];
    const tried: Attempts = await tryEscapes(way, place, victim, command);
    await victim.end();
    for (const [first, names] of Object.entries(since)) {
      const results = names.map((name) => [name, tried[name] === "ok"]);
      const open = version < Number(first);
      expect(results).toEqual(names.map((name) => [name, open]));
    }
    const always = ["trace another process", "keyctl", "TCP fast open, sendto", "MPTCP", "UDP"];
    const views = ["read a secret", "stat a secret", "socket in /tmp", "/dev/shm of another"];
    for (const name of [...always, ...views, "bind mount", "set-id program"]) {
      expect([name, tried[name]]).not.toEqual([name, "ok"]);
    }
  });

  test("strict refuses where something is not enforced, and says what", async () => {
    const start = (rules: string) =>
      startAs(
        way,
        [older, `${version}`, runnerOf(way), `--sandbox=strict,${rules}`, "true"],
        homeOf(way),
      );
    for (const rules of ["net:none", "net:connect:1"]) {
      const { status, stderr } = await start(rules);
      if (version >= 6) expect(stderr).toBe("");
      else expect(stderr).toMatch(/\[E_SANDBOX_STRICT\].*Landlock/);
      expect(status === 0).toBe(version >= 6);
    }
  });
});

describe("without user namespaces", () => {
  const asOther = skipUnless("root", "gcc");
  const { uid, gid } = ordinaryUser();
  const under = (args: string[], home: string) =>
    run(refuse, [`${uid}`, `${gid}`, runnerOf(way), ...args], {
      env: { HOME: home, REFUSE_CALLS: "unshare", TMPDIR: undefined, FUSELAGE_SANDBOX: undefined },
      cwd: "/",
    });

  asOther("Landlock and the filter hold alone", async () => {
    const home = homeOf(way);
    writeFileSync(path.join(home, "mine"), "my own\n");
    const script =
      "cat $HOME/mine; ls /var/lib; echo x > $TMPDIR/f && cat $TMPDIR/f; stat -c %s $HOME/mine";
    const { stdout, stderr } = await under(["--sandbox", "sh", "-c", script], home);
    expect(stdout).toBe("x\n7\n");
    expect(stderr).toMatch(/mine: Permission denied\n.*\/var\/lib.*: Permission denied/);
  });

  asOther("strict refuses, in words", async () => {
    const { status, stderr } = await under(["--sandbox=strict", "true"], homeOf(way));
    expect(status).not.toBe(0);
    expect(stderr).toMatch(/\[E_SANDBOX_STRICT\] sockets in \/run.*namespace/);
  });
});

describe("a sandbox in a sandbox", () => {
  test("goes on with the walls that it can add", async () => {
    const home = homeOf(way);
    const runner = runnerOf(way);
    const folder = path.dirname(runner);
    const outer = [runner, `--sandbox=exec:host,fs:${folder}:ro,fs:${home}:rw`];
    const script = `echo inside; echo x > ${home}/new; cat ${home}/mine`;
    const inner = [runner, `--sandbox=exec:host,fs:${home}:ro`, "sh", "-c", script];
    writeFileSync(path.join(home, "mine"), "my own\n");
    const { stdout, stderr } = await startAs(way, [...outer, ...inner], home);
    expect(stdout).toBe("inside\nmy own\n");
    expect(stderr).toMatch(/new: (Permission denied|Read-only file system)/);
  });
});
