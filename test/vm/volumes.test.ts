/** Folders by 9p, which an ordinary user has without a server, and what a guest can do with them. */
import { execFileSync } from "node:child_process";
import {
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { beforeAll, expect, vi } from "vitest";
import { debianFiles, dependencies } from "../../scripts/debian.mjs";
import { cloudKernel, missing, skipUnless } from "../support/needs.ts";
import { asUser, ordinaryUser } from "../support/process.ts";
import { userDirectory } from "../support/temporary.ts";
import { busyboxBundle, PATIENCE, shellCommand } from "../support/vm.ts";

vi.setConfig({ testTimeout: 2 * PATIENCE, hookTimeout: 4 * PATIENCE });

const needs = ["vm", "busybox", "debian"] as const;
const testUser = skipUnless(...needs);

let app: string;
let home: string;
/** Debian's kernel for every machine; that for clouds has no 9p. */
let kernel: string;

beforeAll(async () => {
  if (needs.some((need) => missing(need) !== undefined)) return;
  app = await busyboxBundle();
  home = userDirectory();
  const [image = ""] = dependencies("bookworm", "linux-image-amd64", /^linux-image-\d/);
  const boot = path.join(debianFiles("bookworm", [image]), "boot");
  kernel = path.join(boot, readdirSync(boot).find((name) => name.startsWith("vmlinuz-")) ?? "");
});

/** A line of busybox's shell in a machine of a user who has no more than a home. */
const shellOf = (script: string, options: readonly string[]) =>
  asUser(process.execPath, shellCommand(app, script, options), home, {
    env: { TMPDIR: home, XDG_RUNTIME_DIR: undefined, XDG_CACHE_HOME: undefined },
    timeout: PATIENCE,
  });

/** A folder of the user's. */
function folder(name: string): string {
  const dir = path.join(home, name);
  mkdirSync(dir);
  const { uid, gid } = ordinaryUser();
  chownSync(dir, uid, gid);
  return dir;
}

testUser("one to change, with names of every byte, and one that nobody can change", async () => {
  const open = folder("a, b");
  const closed = folder("closed");
  const outside = path.join(home, "secret");
  writeFileSync(outside, "secret");
  writeFileSync(path.join(closed, "f"), "of the host\n");
  symlinkSync(outside, path.join(open, "out"));
  symlinkSync(home, path.join(open, "up"));
  const bytes = Uint8Array.from({ length: 255 }, (_, at) => at + 1).filter((byte) => byte !== 0x2f);
  mkdirSync(path.join(open, "names"));
  chownSync(path.join(open, "names"), ordinaryUser().uid, ordinaryUser().gid);
  writeFileSync(Buffer.concat([Buffer.from(`${open}/names/`), bytes]), "named");
  const script = [
    "cat /open/names/* /v/closed/f; cp -r /open/names /open/copy; echo new >/open/g; mkdir /open/d",
    // A link is followed in the machine, where nothing of the host's is.
    "cat /open/out; ls /open/up; ln -s / /open/top; ls -d /open/top/open",
    "echo no >/v/closed/g; mount -o remount,rw /v/closed; echo no >/v/closed/g; rm /v/closed/f",
    "stat -c %u /open/g; ls /v/closed; dd if=/dev/zero of=/open/large bs=1M count=20; sync",
  ].join("; ");
  const options = ["--kernel", kernel, "--volume", `${open}:/open`];
  const { status, stdout, stderr } = await shellOf(`exec 2>/dev/null; ${script}`, [
    ...[...options, "--volume", `${closed}:/v/closed:ro`],
  ]);
  const { uid } = ordinaryUser();
  expect({ status, stdout, stderr }).toEqual({
    ...{ status: 0, stderr: "" },
    stdout: `namedof the host\n/open/top/open\n${uid}\nf\n`,
  });
  expect(readdirSync(closed)).toEqual(["f"]);
  expect(readFileSync(path.join(closed, "f"), "utf8")).toBe("of the host\n");
  expect(readFileSync(path.join(open, "g"), "utf8")).toBe("new\n");
  expect(statSync(path.join(open, "g")).uid).toBe(uid);
  expect(statSync(path.join(open, "large")).size).toBe(20 << 20);
  const copied = readdirSync(path.join(open, "copy"), { encoding: "buffer" });
  expect(copied.map((name) => [...name])).toEqual([[...bytes]]);
  expect(readFileSync(outside, "utf8")).toBe("secret");
  // Neither a socket nor a folder of the machine's is left.
  expect(readdirSync(home).filter((name) => !name.startsWith("."))).toEqual([
    ...["a, b", "closed", "secret"],
  ]);
  expect(existsSync(path.join(home, ".cache/fuselage-bundle/kernels"))).toBe(true);
});

skipUnless(...needs, "cloudKernel")(
  "a kernel without 9p: what it lacks, and why it is asked for",
  async () => {
    const options = ["--kernel", `${cloudKernel()}`, "--volume", `${folder("v")}:/v`];
    const { status, stderr } = await shellOf("true", options);
    expect([status, stderr]).toEqual([125, expect.stringContaining("[E_VM_VOLUME]")]);
    expect(stderr).toMatch(/virtiofsd (?:is not installed|shares folders for root alone)/);
    expect(stderr).toContain("NET_9P_VIRTIO");
  },
);

testUser("a folder that is gone when the machine is made: that it is the volume's", async () => {
  const bin = path.join(home, ".bin");
  const gone = folder("gone");
  mkdirSync(bin);
  const real = execFileSync("sh", ["-c", "command -v qemu-system-x86_64"], { encoding: "utf8" });
  const wrapper = `#!/bin/sh\n[ "$1" = --version ] || rmdir '${gone}' 2>&1\nexec ${real.trim()} "$@"\n`;
  writeFileSync(path.join(bin, "qemu-system-x86_64"), wrapper, { mode: 0o755 });
  const args = shellCommand(app, "true", ["--kernel", kernel, "--volume", `${gone}:/v`]);
  const { status, stderr } = await asUser(process.execPath, args, home, {
    env: { TMPDIR: home, XDG_RUNTIME_DIR: undefined, PATH: `${bin}:${process.env["PATH"]}` },
    timeout: PATIENCE,
  });
  expect([status, stderr]).toEqual([125, expect.stringContaining("[E_VM_VOLUME]")]);
  expect(stderr).toContain(`${gone}: `);
  expect(stderr).toContain("No such file");
});
