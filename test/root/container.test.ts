/** Starts inside of containers: with fewer rights than root has, and where /proc is masked. */
import { writeFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, expect } from "vitest";
import { skipUnless } from "../support/needs.ts";
import { run } from "../support/process.ts";
import { homeFor, rootBundle } from "../support/root-image.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const needs = ["root", "userns", "fuse", "busybox", "mksquashfs"] as const;

let file: string;
beforeAll(async () => {
  file = await rootBundle({ "srv/own": "the image's\n" });
});

/** Root of a container, which may not mount there and has lost what `lost` says too. */
function asContainerRoot(lost: string, user: string) {
  const home = homeFor({ title: "", root: true });
  const caps = `--bounding-set=-sys_admin${lost}`;
  const args = ["--bundle-run", "-u", user, "--", "sh", "-c", "id -u; cat /srv/own"];
  const env = { HOME: home, FUSELAGE_LINGER: "0" };
  return run("setpriv", [caps, file, ...args], { cwd: home, env });
}

skipUnless(...needs)(
  "root that may not mount starts it in a user namespace of its own",
  async () => {
    for (const user of ["root", "web"]) {
      const uid = user === "root" ? 0 : 101;
      expect(await asContainerRoot("", user)).toMatchObject({
        status: 0,
        stdout: `${uid}\nthe image's\n`,
      });
    }
  },
);

skipUnless(...needs)("root without SETFCAP is told that it cannot, and where", async () => {
  const refused = await asContainerRoot(",-setfcap", "web");
  expect(refused.status).not.toBe(0);
  expect(refused.stdout).toBe("");
  expect(refused.stderr).toContain("[E_ROOT_START] this root lacks CAP_SETFCAP");
});

skipUnless(...needs)("root that may mount is told which capability it lacks", async () => {
  const home = homeFor({ title: "", root: true });
  const start = (lost: string, ...args: string[]) =>
    run("setpriv", [`--bounding-set=-${lost}`, file, "--bundle-run", ...args], {
      cwd: home,
      env: { HOME: home, FUSELAGE_LINGER: "0" },
    });
  for (const [lost, options, says] of [
    [
      "setuid",
      ["-u", "web"],
      "[E_ROOT_USER] user 101, without CAP_SETUID: Operation not permitted",
    ],
    ["setgid", ["-u", "web"], "[E_ROOT_USER] groups of user 101, without CAP_SETGID: Operation"],
    [
      "setpcap",
      [],
      "[E_ROOT_START] capabilities cannot be dropped, without CAP_SETPCAP (--keep-caps",
    ],
  ] as const) {
    const refused = await start(lost, ...options, "--", "true");
    expect({ lost, ...refused }).toMatchObject({
      lost,
      stdout: "",
      stderr: expect.stringContaining(says),
    });
    expect(refused.status).not.toBe(0);
  }
  // What is asked for goes without it, and has what it had.
  const kept = await start("setpcap", "--keep-caps", "--", "grep", "CapEff", "/proc/self/status");
  expect(kept).toMatchObject({ status: 0, stdout: expect.stringMatching(/^CapEff:\t0{5}1ff/) });
});

skipUnless(...needs)(
  "where /proc is masked it stays so, with a process namespace or not",
  async () => {
    const home = homeFor({ title: "", root: false });
    const script = path.join(temporaryDirectory(), "masked");
    writeFileSync(
      script,
      `mount --bind /dev/null /proc/version
     mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys
     exec setpriv --reuid 1000 --regid 1000 --clear-groups "$@"\n`,
    );
    for (const options of [[], ["--pid"], ["--contain"]]) {
      const look = `wc -c < /proc/version; cat /srv/own;
      echo x 2>/dev/null > /proc/sys/kernel/core_pattern || echo read-only`;
      const args = ["-m", "sh", script, file, "--bundle-run", ...options, "--", "sh", "-c", look];
      const env = { HOME: home, FUSELAGE_LINGER: "0" };
      const started = await run("unshare", args, { cwd: home, env });
      expect(started, options.join()).toMatchObject({
        status: 0,
        stdout: "0\nthe image's\nread-only\n",
      });
    }
  },
);
