/**
 * Tests that need more than Node say what. Where it is missing they are skipped with the reason in
 * their name; in CI (CI=true) they fail, so that nothing stays unchecked unseen.
 */
import { spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  statSync,
} from "node:fs";
import os from "node:os";
import path from "node:path";
import { type TestFunction, test } from "vitest";
import { hostArchitecture } from "../../builder/host/paths.ts";
import { debianMirror } from "../../scripts/debian.mjs";
import { isRoot, ordinaryUser, root } from "./process.ts";

function tool(name: string): string | undefined {
  const dirs = path.isAbsolute(name) ? ["/"] : (process.env["PATH"] ?? "").split(path.delimiter);
  for (const dir of dirs) {
    try {
      accessSync(path.join(dir, name), constants.X_OK);
      return undefined;
    } catch {
      // Not in this folder.
    }
  }
  return `${name} is not installed`;
}

/** Path of the kernel for machines of clouds; undefined: none is installed. */
export function cloudKernel(): string | undefined {
  const names = existsSync("/boot") ? readdirSync("/boot") : [];
  const name = names.find((one) => /^vmlinuz-.*cloud-amd64$/.test(one));
  return name && path.join("/boot", name);
}

/** Each probe returns why the thing is not there, or undefined. */
const probes = {
  git: () => (existsSync(path.join(root, ".git")) ? undefined : "this is no checkout of git"),
  ipv6: () => {
    const addresses = os.networkInterfaces()["lo"] ?? [];
    const isThere = addresses.some(({ family }) => family === "IPv6");
    return isThere ? undefined : "the loopback device has no address of IPv6";
  },
  root: () => (isRoot ? undefined : "these tests do not run as root"),
  fuse: () => {
    try {
      closeSync(openSync("/dev/fuse", "r+"));
      return undefined;
    } catch (error) {
      return `/dev/fuse cannot be opened: ${(error as Error).message}`;
    }
  },
  userns: () => {
    const mount = ["--user", "--mount", "--map-root-user", "mount", "-t", "tmpfs", "none", "/mnt"];
    const who = isRoot ? ordinaryUser() : {};
    const { status, stderr } = spawnSync("unshare", mount, { ...who, encoding: "utf8" });
    return status === 0 ? undefined : `user namespaces are refused: ${stderr?.trim()}`;
  },
  // Linux 6.7: one for each user namespace.
  binfmt: () => {
    const mount = "mount -t binfmt_misc none /proc/sys/fs/binfmt_misc";
    const namespaces = ["--user", "--map-root-user", "--mount", "sh", "-c", mount];
    const { status, stderr } = spawnSync("unshare", namespaces, { encoding: "utf8" });
    return status === 0 ? undefined : `a namespace has no binfmt_misc: ${stderr?.trim()}`;
  },
  loop: () => {
    if (!isRoot) return "loop devices need root";
    try {
      closeSync(openSync("/dev/loop-control", "r+"));
      return undefined;
    } catch (error) {
      return `/dev/loop-control cannot be opened: ${(error as Error).message}`;
    }
  },
  // A mount is kept beyond its last app below the machine's own process 1 only.
  init: () => {
    const orphan = `sh -c 'sleep 0.1; cut -d" " -f4 /proc/$$/stat' &`;
    const { stdout } = spawnSync("sh", ["-c", orphan], { encoding: "utf8" });
    if (statSync("/proc/self/ns/pid").ino !== 0xef_ff_ff_fc) return "process 1 is a container's";
    return stdout === "1\n" ? undefined : "a subreaper adopts orphans, not process 1";
  },
  cgroup: () => {
    for (const hierarchy of ["unified", "pids", "freezer", "."]) {
      const group = `/sys/fs/cgroup/${hierarchy}/fuselage-test-${randomUUID()}`;
      try {
        mkdirSync(group);
      } catch {
        continue;
      }
      const works = existsSync(path.join(group, "cgroup.procs"));
      rmdirSync(group);
      if (works) return undefined;
    }
    return "no cgroup can be made";
  },
  mksquashfs: () => tool("mksquashfs"),
  unsquashfs: () => tool("unsquashfs"),
  squashfuse: () => tool("squashfuse"),
  fusermount: () => tool("fusermount3"),
  xattrs: () => tool("setfattr") ?? tool("getfattr"),
  groff: () => tool("groff"),
  mandoc: () => tool("mandoc"),
  zsh: () => tool("zsh"),
  fish: () => tool("fish"),
  python3: () => tool("python3"),
  systemPython: () => {
    const venv = ["-c", "import venv, ensurepip"];
    const { status } = spawnSync("/usr/bin/python3", venv, { stdio: "ignore" });
    return status === 0 ? undefined : "/usr/bin/python3 with venv is not installed";
  },
  apparmor: () => tool("apparmor_parser"),
  bwrap: () => tool("bwrap"),
  curl: () => tool("curl"),
  wget: () => tool("wget"),
  zip: () => tool("zip"),
  unzip: () => tool("unzip"),
  bsdtar: () => tool("bsdtar"),
  skopeo: () => tool("skopeo"),
  umoci: () => tool("umoci"),
  dockerRegistry: () => tool("docker-registry"),
  systemdNspawn: () =>
    tool("systemd-nspawn") ??
    tool("/usr/lib/systemd/systemd") ??
    (existsSync("/lib/systemd/system/dbus.service") ? undefined : "dbus is not installed"),
  overlay: () => {
    const mount = `mount -t tmpfs none /mnt && mkdir /mnt/u /mnt/w &&
      mount -t overlay none -o lowerdir=/,upperdir=/mnt/u,workdir=/mnt/w /mnt`;
    const { status, stderr } = spawnSync("unshare", ["--mount", "sh", "-c", mount], {
      encoding: "utf8",
    });
    return status === 0 ? undefined : `no overlay over the root: ${stderr?.trim()}`;
  },
  dockerCompose: () => tool("docker-compose"),
  cloudInit: () => tool("cloud-init"),
  pythonYaml: () => {
    const { status } = spawnSync("python3", ["-c", "import yaml"], { stdio: "ignore" });
    return status === 0 ? undefined : "python3-yaml is not installed";
  },
  systemdAnalyze: () => tool("systemd-analyze"),
  crun: () => tool("crun"),
  runc: () => tool("/usr/sbin/runc") && tool("runc"),
  cpio: () => tool("cpio"),
  lz4: () => tool("lz4"),
  zstd: () => tool("zstd"),
  podman: () => tool("podman"),
  sevenZip: () => tool("7z"),
  gcc: () => tool("gcc"),
  pkgConfig: () => tool("pkg-config"),
  clang19: () => tool("clang-19"),
  gpg: () => tool("gpg"),
  openssl: () => tool("openssl"),
  zsync: () => tool("zsync") ?? tool("zsyncmake"),
  desktopFileValidate: () => tool("desktop-file-validate"),
  appstreamcli: () => tool("appstreamcli"),
  file: () => tool("file"),
  xvfb: () => tool("Xvfb") ?? tool("xwd"),
  strace: () => tool("strace"),
  strip: () => tool("strip"),
  libfuzzer: () => {
    const name = `-print-file-name=libclang_rt.fuzzer-${hostArchitecture()}.a`;
    const { status, stdout } = spawnSync("clang-19", [name], { encoding: "utf8" });
    if (status !== 0) return "clang-19 is not installed";
    return stdout.startsWith("/") ? undefined : "libclang-rt-19-dev is not installed";
  },
  debian: () => {
    if (process.arch !== "x64") return "packages of Debian are taken for x86_64 alone";
    const reason = tool("apt-get") ?? tool("dpkg-deb");
    return reason ?? (debianMirror() === undefined ? "apt knows no mirror of Debian" : undefined);
  },
  // A virtual machine, and a kernel for it.
  machine: () => {
    if (process.arch !== "x64") return "machines are started for x86_64 alone";
    const kernels = existsSync("/boot") ? readdirSync("/boot") : [];
    const named = process.env["FUSELAGE_TEST_KERNEL"];
    if (named === undefined && !kernels.some((name) => /^vmlinuz-.*cloud-amd64$/.test(name))) {
      return "linux-image-cloud-amd64 is not installed";
    }
    return tool("qemu-system-x86_64");
  },
  qemu: () => tool("qemu-aarch64-static"),
  vm: () => {
    if (process.arch !== "x64") return "machines are made for x86_64 alone";
    const hasKernel =
      existsSync("/boot") && readdirSync("/boot").some((name) => /^vmlinuz-/.test(name));
    return (
      tool("qemu-system-x86_64") ?? (hasKernel ? undefined : "no kernel is installed in /boot")
    );
  },
  // Debian's for machines of clouds, which has virtiofs and no 9p.
  cloudKernel: () =>
    cloudKernel() === undefined ? "no kernel of linux-image-cloud-amd64 is in /boot" : undefined,
  virtiofsd: () => {
    const places = ["virtiofsd", "/usr/libexec/virtiofsd", "/usr/lib/qemu/virtiofsd"];
    return places.some((place) => tool(place) === undefined)
      ? undefined
      : "virtiofsd is not installed";
  },
  qemuRiscv: () => tool("qemu-riscv64-static"),
  gdb: () => tool("gdb"),
  valgrind: () => tool("valgrind"),
  perf: () => {
    const options = ["record", "-q", "-e", "cpu-clock:u", "-o", "/dev/null", "true"];
    const { status, stderr } = spawnSync("perf", options, { encoding: "utf8" });
    return tool("perf") ?? (status === 0 ? undefined : `perf may not look: ${stderr?.trim()}`);
  },
  // Else another program takes it, or it goes where others' are.
  coreFiles: () => {
    const pattern = readFileSync("/proc/sys/kernel/core_pattern", "utf8").trim();
    return /^[|/]/.test(pattern) ? `core files go to ${pattern}` : undefined;
  },
  setcap: () => tool("setcap"),
  busybox: () => tool("busybox"),
  // A session's bus, services for it, and what lets single names of it through.
  dbus: () =>
    tool("dbus-daemon") ?? tool("dbus-send") ?? tool("dbus-test-tool") ?? tool("xdg-dbus-proxy"),
  debootstrap: () => tool("debootstrap"),
  newuidmap: () => tool("newuidmap") ?? tool("setpriv"),
  musl: () => tool("x86_64-linux-musl-gcc"),
  // A program for another machine, its libc, and something that runs it.
  arm64: () =>
    tool("clang-19") ?? tool("/usr/aarch64-linux-gnu/lib/libc.so.6") ?? tool("qemu-aarch64-static"),
  riscv64: () =>
    tool("clang-19") ?? tool("/usr/riscv64-linux-gnu/lib/libc.so.6") ?? tool("qemu-riscv64-static"),
} satisfies Record<string, () => string | undefined>;

export type Need = keyof typeof probes;

const answers = new Map<Need, string | undefined>();

/** Why `need` is not met here, or undefined when it is. */
export function missing(need: Need): string | undefined {
  if (!answers.has(need)) answers.set(need, probes[need]());
  return answers.get(need);
}

/** `skipUnless("root", "loop")("mounts an image", async () => { ... })` */
export function skipUnless(...needs: Need[]): (name: string, body: TestFunction) => void {
  const reasons = needs.map(missing).filter((reason) => reason !== undefined);
  if (reasons.length === 0) return (name, body) => test(name, body);
  return skippedFor(reasons.join("; "));
}

/** A test that cannot be done here, in place of `test`. */
export function skippedFor(why: string): (name: string, body: TestFunction) => void {
  return (name) => {
    if (process.env["CI"] !== "true") {
      test.skip(`${name} (skipped: ${why})`, () => {});
      return;
    }
    test(name, () => {
      throw new Error(`In CI a skip is a failure: ${why}`);
    });
  };
}
