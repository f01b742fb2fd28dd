/** --persist: what is changed stays, for one start at a time; and --range, whose users own what they make. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect } from "vitest";
import { nothing } from "../support/leftovers.ts";
import { skipUnless } from "../support/needs.ts";
import { ordinaryUser } from "../support/process.ts";
import {
  homeFor,
  rootBundle,
  shell,
  starters,
  startNeeds,
  startRoot,
  watchRoot,
  withRange,
} from "../support/root-image.ts";
import { stopBehind } from "../support/stopped.ts";

let file: string;
let newer: string;
beforeAll(async () => {
  const image = { "srv/a": "first\n", "srv/b": "first\n", "srv/gone/c": "first\n" };
  file = await rootBundle(image);
  newer = await rootBundle({ ...image, "srv/a": "second\n", "srv/b": "second\n" });
});

describe.each(starters)("--persist, $title,", (starter) => {
  const test = skipUnless(...startNeeds(starter));
  const strict = skipUnless("root", "strace", ...startNeeds(starter));

  test("keeps what was changed, over starts and versions of the image", async () => {
    const home = homeFor(starter);
    const left = watchRoot(file, home);
    const options = ["--persist", "~/kept"];
    const change = "echo mine > /srv/a; rm -r /srv/gone; mkdir /srv/gone; touch /tmp/t /run/r";
    await shell(starter, file, options, change, home);
    const look = "cat /srv/a /srv/b; ls /srv/gone /tmp /run | tr '\\n' ' '";
    expect(await shell(starter, file, options, look, home)).toMatch(/^mine\nfirst\n/);
    expect(await shell(starter, newer, options, look, home)).toMatch(/^mine\nsecond\n/);
    expect(
      await shell(starter, newer, options, "ls -A /srv/gone /tmp/t /run/r 2>&1 | cat", home),
    ).not.toMatch(/^(c|\/tmp\/t|\/run\/r)$/m);
    expect(await shell(starter, file, [], "cat /srv/a", home)).toBe("first");
    const removed = await startRoot(starter, file, [...options, "--persist-rm"], [], home);
    expect(removed).toMatchObject({ status: 0, stderr: "" });
    expect(existsSync(path.join(home, "kept"))).toBe(false);
    expect(await left()).toEqual(nothing);
  });

  test("is for one start at a time, until its last process has ended", async () => {
    const home = homeFor(starter);
    const dir = path.join(home, "kept");
    const options = ["--bundle-run", "--persist", dir, "--", "sh", "-c"];
    // Its first process ends at once, and another one goes on.
    const script = "(echo up; until test -e ~/end; do sleep 0.05; done) & exit 0";
    const child = spawn(file, [...options, script], {
      env: { PATH: process.env["PATH"], HOME: home },
      ...(starter.root ? {} : ordinaryUser()),
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(child.stdout, "data");
    const refused = await startRoot(starter, newer, ["--persist", dir], ["true"], home);
    expect(refused.stderr).toMatch(/E_ROOT_PERSIST.*another start is using it/);
    writeFileSync(path.join(home, "end"), "");
    const later = () => startRoot(starter, newer, ["--persist", dir], ["true"], home);
    await expect.poll(later).toMatchObject({ status: 0, stderr: "" });
  });

  for (const [title, call] of [
    ["is made", "/^mkdir"],
    ["is opened", "/^open"],
    ["has its lock opened", "/^openat"],
  ] as const)
    strict(`is made again when it is removed as soon as it ${title}`, async () => {
      const home = homeFor(starter);
      const dir = path.join(home, "kept");
      const options = ["--bundle-run", "--persist", dir, "--"];
      await shell(starter, file, options.slice(1, -1), "true", home);
      const held = await stopBehind(call, dir, [file, ...options, "cat", "/srv/a"], {
        ...(starter.root ? {} : ordinaryUser()),
        env: { HOME: home, FUSELAGE_HOME: undefined },
        when: title === "has its lock opened" ? 2 : 1,
      });
      const remove = ["--persist", dir, "--persist-rm"];
      expect(await startRoot(starter, file, remove, [], home)).toMatchObject({
        status: 0,
        stderr: "",
      });
      expect(existsSync(dir)).toBe(false);
      expect(await held.goOn()).toMatchObject({ status: 0, stdout: "first\n", stderr: "" });
      expect(readdirSync(dir).sort()).toEqual(["lock", "upper", "work"]);
    });

  strict("is not shared with who had its lock open before it was removed", async () => {
    const home = homeFor(starter);
    const dir = path.join(home, "kept");
    const options = ["--bundle-run", "--persist", dir, "--"];
    await shell(starter, file, options.slice(1, -1), "true", home);
    writeFileSync(path.join(dir, "more"), "");
    const held = await stopBehind("/^openat", dir, [file, ...options, "true"], {
      ...(starter.root ? {} : ordinaryUser()),
      env: { HOME: home, FUSELAGE_HOME: undefined },
      when: 2,
    });
    const remove = ["--persist", dir, "--persist-rm"];
    expect((await startRoot(starter, file, remove, [], home)).status).toBe(0);
    expect(readdirSync(dir)).toEqual(["more"]);
    const other = spawn(file, [...options, "sh", "-c", "echo up; read line"], {
      env: { PATH: process.env["PATH"], HOME: home },
      ...(starter.root ? {} : ordinaryUser()),
      stdio: ["pipe", "pipe", "inherit"],
    });
    await once(other.stdout, "data");
    expect((await held.goOn()).stderr).toMatch(/E_ROOT_PERSIST.*another start is using it/);
    other.stdin.end();
    await once(other, "close");
  });

  test("says why a directory cannot be used", async () => {
    const home = homeFor(starter);
    for (const dir of ["/proc/self", path.join(home, "not/there"), "/etc/passwd"]) {
      const refused = await startRoot(starter, file, ["--persist", dir], ["true"], home);
      expect(refused.stderr).toContain("E_ROOT_PERSIST");
    }
    const alone = await startRoot(starter, file, ["--persist-rm"], [], home);
    expect(alone.stderr).toContain("E_RUN_OPTION");
    const near = await startRoot(starter, file, ["--presist", "x"], [], home);
    expect(near.stderr).toContain(
      "[E_RUN_OPTION] --presist: there is no such option of a start; did you mean --persist?",
    );
  });

  test("follows no link where the layers belong", async () => {
    const home = homeFor(starter);
    const owner = starter.root ? 0 : 1000;
    for (const name of ["upper", "work", "lock"]) {
      const dir = path.join(home, `kept-${name}`);
      const outside = path.join(home, `outside-${name}`);
      for (const made of [dir, outside]) {
        mkdirSync(made);
        chownSync(made, owner, owner);
      }
      symlinkSync(outside, path.join(dir, name));
      for (const options of [[], ["--persist-rm"]]) {
        const all = ["--persist", dir, ...options];
        const refused = await startRoot(starter, file, all, ["touch", "/made"], home);
        expect(refused.stderr).toMatch(/E_ROOT_PERSIST/);
      }
      expect(readdirSync(outside)).toEqual([]);
    }
  });
});

describe("a directory that others can write to, for --persist,", () => {
  const test = skipUnless("root", "userns", "fuse", "busybox", "mksquashfs");

  const asRoot = { title: "", root: true };
  const asUser = { title: "", root: false };
  const others = [
    { title: "a user, for root", starter: asRoot, owner: 1000, mode: 0o755 },
    { title: "root, for a user", starter: asUser, owner: 0, mode: 0o755 },
    { title: "root and open to all", starter: asRoot, owner: 0, mode: 0o777 },
    { title: "root and shared as /tmp is", starter: asRoot, owner: 0, mode: 0o1777 },
    { title: "root and open to a group", starter: asRoot, owner: 0, mode: 0o775 },
    { title: "a user and open to all", starter: asUser, owner: 1000, mode: 0o777 },
  ];
  for (const { title, starter, owner, mode } of others) {
    test(`is refused: one of ${title}`, async () => {
      const home = homeFor(starter);
      const dir = path.join(home, "kept");
      mkdirSync(path.join(dir, "upper/bin"), { recursive: true });
      writeFileSync(path.join(dir, "upper/bin/id"), "#!/bin/sh\necho other\n", { mode: 0o755 });
      chownSync(dir, owner, owner);
      chmodSync(dir, mode);
      for (const options of [[], ["--persist-rm"]]) {
        const all = ["--persist", dir, ...options];
        const refused = await startRoot(starter, file, all, ["id"], home);
        expect(refused.stdout).toBe("");
        expect(refused.stderr).toMatch(/E_ROOT_PERSIST.*kept: (belongs to user|others may write)/);
      }
      expect(readdirSync(dir)).toEqual(["upper"]);
    });
  }
});

describe("--range", () => {
  const test = skipUnless("root", "userns", "fuse", "busybox", "mksquashfs", "newuidmap");
  const starter = { title: "", root: false };

  test("has every user of the image, who own what they make, inside and on disk", async () => {
    const home = homeFor(starter);
    const start = (options: string[], script: string) =>
      withRange(
        "700000:1000",
        [
          file,
          "--bundle-run",
          "--range",
          "--persist",
          "~/kept",
          ...options,
          "--",
          "sh",
          "-c",
          script,
        ],
        home,
      );
    const made = await start(
      [],
      "touch /srv/own && chown 101:50 /srv/own && stat -c %u:%g /srv/own",
    );
    expect(made).toMatchObject({ status: 0, stdout: "101:50\n", stderr: "" });
    const { uid, gid } = statSync(path.join(home, "kept/upper/srv/own"));
    expect([uid, gid]).toEqual([700_100, 700_049]);
    // Who somebody else is on disk does not depend on who the app is.
    const web = await start(["-u", "web"], "id -u; id -G; stat -c %u /srv/own; touch /srv/own");
    expect(web).toMatchObject({ status: 0, stdout: "101\n102 44 50\n101\n" });
    // What of it belongs to others, only they and the range can remove.
    const removed = await start(["--persist-rm"], "");
    expect(removed).toMatchObject({ status: 0, stderr: "" });
    expect(readdirSync(home)).not.toContain("kept");
  });

  test("calls the caller what the app is, where nothing has to stay", async () => {
    const home = homeFor(starter);
    const script = "id -u; id -G; touch ~/mine; stat -c %u ~/mine; tr -s ' ' < /proc/self/uid_map";
    const options = ["--bundle-run", "--range", "-u", "web", "--", "sh", "-c", script];
    const web = await withRange("700000:1000", [file, ...options], home);
    expect(web.stdout).toBe("101\n102 44 50\n101\n 0 700000 101\n 101 1000 1\n 102 700101 899\n");
    expect(statSync(path.join(home, "mine")).uid).toBe(1000);
  });

  test("says what is missing for it", async () => {
    const home = homeFor(starter);
    const command = [file, "--bundle-run", "--range", "--", "id"];
    const noShare = await withRange("many", command, home);
    expect(noShare.stderr).toMatch(/E_ROOT_USER.*\/etc\/subuid has no line.*--add-subuids/);
    const noTool = await withRange("700000:10", ["env", "PATH=/nowhere", ...command], home);
    expect(noTool.stderr).toMatch(/E_ROOT_START.*newuidmap and newgidmap are not installed/);
  });
});
