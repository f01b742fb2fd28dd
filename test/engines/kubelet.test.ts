// The image and the manifest together, started by crun as a kubelet has it started.
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { expect } from "vitest";
import { parseAllDocuments } from "yaml";
import { build, exportEngine, exportImage } from "../../builder/index.ts";
import { skipUnless } from "../support/needs.ts";
import { imageOf } from "../support/oci.ts";
import { run } from "../support/process.ts";
import { temporaryDirectory } from "../support/temporary.ts";

/** Says who it is, what it was given, and what it may do. */
const PROGRAM = `
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(int count, char **words) {
  printf("%d:%d %s %s\\n", getuid(), getgid(), count > 1 ? words[1] : "", getenv("MODE"));
  printf("root: %s\\n", open("/new", O_CREAT | O_WRONLY, 0600) < 0 ? strerror(errno) : "written");
  printf("tmp: %s\\n", open("/tmp/new", O_CREAT | O_WRONLY, 0600) < 0 ? strerror(errno) : "written");
  printf("data: %s\\n", open("/data/new", O_CREAT | O_WRONLY, 0600) < 0 ? strerror(errno) : "written");
  int home = chdir(getenv("HOME")) < 0 ? -1 : open("new", O_CREAT | O_WRONLY, 0600);
  printf("home: %s\\n", home < 0 ? strerror(errno) : "written");
  // By 1 it is of its own memory alone, which the kernel allows everybody and the default filter nobody.
  printf("userfaultfd: %s\\n", syscall(SYS_userfaultfd, 1) < 0 ? strerror(errno) : "made");
  printf("mount: %s\\n", mount("a", "/tmp", "tmpfs", 0, 0) < 0 ? strerror(errno) : "mounted");
  char line[200];
  FILE *status = fopen("/proc/self/status", "r");
  while (fgets(line, sizeof line, status))
    if (!strncmp(line, "CapBnd", 6) || !strncmp(line, "NoNewPrivs", 10)) fputs(line, stdout);
  return 3;
}
`;

interface SecurityContext {
  readOnlyRootFilesystem: boolean;
  allowPrivilegeEscalation: boolean;
  capabilities: { drop: string[]; add?: string[] };
}

interface Pod {
  containers: {
    args: string[];
    env: { name: string; value: string }[];
    securityContext: SecurityContext;
    volumeMounts: { mountPath: string }[];
  }[];
  securityContext: { runAsUser: number; runAsGroup: number; seccompProfile: { type: string } };
}

function capabilitiesOf({ capabilities: { drop, add = [] } }: SecurityContext) {
  if (drop.join() !== "ALL") throw new Error("some capabilities stay");
  return { bounding: add, effective: add, permitted: add };
}

interface Rule {
  names: string[];
  action: string;
  args?: { index: number; value: number; valueTwo?: number; op: string }[];
  includes?: { arches?: string[]; caps?: string[] };
  excludes?: { arches?: string[]; caps?: string[] };
}

/** The filter that runtimes call RuntimeDefault, as they make it of the file for a container without capabilities. */
function defaultFilter() {
  const profile = JSON.parse(readFileSync("/usr/share/containers/seccomp.json", "utf8"));
  const applies = ({ includes = {}, excludes = {} }: Rule) =>
    (includes.arches ?? ["amd64"]).includes("amd64") &&
    (includes.caps ?? []).length === 0 &&
    !(excludes.arches ?? []).includes("amd64");
  return {
    defaultAction: profile.defaultAction,
    defaultErrnoRet: profile.defaultErrnoRet,
    architectures: ["SCMP_ARCH_X86_64"],
    syscalls: (profile.syscalls as Rule[])
      .filter(applies)
      .map(({ names, action, args }) => ({ names, action, ...(args?.length && { args }) })),
  };
}

/** As a kubelet reads it, where no variable is named. */
const expanded = (text: string) => text.split("$$").join("$");

/** What a kubelet asks a container runtime for: the image's words below those of the pod. */
function runtimeConfig(pod: Pod, image: { Entrypoint: string[]; Cmd?: string[]; Env: string[] }) {
  const [container] = pod.containers;
  if (container === undefined) throw new Error("the pod has no container");
  const { args, env, securityContext, volumeMounts } = container;
  const system = ["nosuid", "noexec", "nodev"];
  return {
    ociVersion: "1.0.2",
    process: {
      user: { uid: pod.securityContext.runAsUser, gid: pod.securityContext.runAsGroup },
      args: [...image.Entrypoint, ...(args ?? image.Cmd ?? [])],
      env: [...image.Env, ...env.map(({ name, value }) => `${name}=${expanded(value)}`)],
      cwd: "/",
      noNewPrivileges: !securityContext.allowPrivilegeEscalation,
      // All are dropped, and none is added.
      capabilities: capabilitiesOf(securityContext),
    },
    root: { path: "rootfs", readonly: securityContext.readOnlyRootFilesystem },
    mounts: [
      { destination: "/proc", type: "proc", source: "proc", options: system },
      { destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["nosuid", "mode=755"] },
      ...volumeMounts.map(({ mountPath }) => ({
        destination: mountPath,
        type: "tmpfs",
        source: "tmpfs",
        options: ["nosuid", "nodev", "mode=1777"],
      })),
    ],
    linux: {
      ...(pod.securityContext.seccompProfile.type === "RuntimeDefault" && {
        seccomp: defaultFilter(),
      }),
      namespaces: ["pid", "ipc", "uts", "mount", "network"].map((type) => ({ type })),
    },
  };
}

skipUnless(
  "root",
  "gcc",
  "umoci",
  "crun",
)(
  "the container is nobody, changes nothing but what it declares and /tmp, and has no right",
  async () => {
    const dir = temporaryDirectory();
    writeFileSync(`${dir}/who.c`, PROGRAM);
    mkdirSync(`${dir}/who`);
    execFileSync("gcc", ["-static", "-o", `${dir}/who/who`, `${dir}/who.c`]);
    const input = `${dir}/who.run`;
    const permissions = { fs: { "/data": "rw", home: "rw" }, net: { listen: [8080] } } as const;
    await build({ input: `${dir}/who`, output: input, permissions });
    await exportImage({ input, to: `oci:${dir}/image` });
    const kubernetes = `${dir}/app.yaml`;
    const image = "registry.example.org/who:1";
    await exportEngine({ input, kubernetes, image, args: ["given"], env: ["MODE=$(x) $$ it's"] });
    const [deployment] = parseAllDocuments(readFileSync(kubernetes, "utf8"));
    const pod: Pod = deployment?.toJS().spec.template.spec;
    execFileSync("umoci", ["unpack", "--image", `${dir}/image:latest`, `${dir}/bundle`], {
      stdio: "pipe",
    });
    const { config } = imageOf(`${dir}/image`).config;
    writeFileSync(`${dir}/bundle/config.json`, JSON.stringify(runtimeConfig(pod, config)));
    // crun knows no hierarchy of cgroups but version 2 alone.
    const start =
      'umount -R /sys/fs/cgroup 2>/dev/null; mount -t cgroup2 none /sys/fs/cgroup && exec "$@"';
    const crun = ["crun", "--cgroup-manager=disabled", "run", "--bundle", `${dir}/bundle`];
    const name = `fuselage-kubelet-${process.pid}`;
    const { status, stdout, stderr } = await run("unshare", [
      ...["-m", "sh", "-c", start, "sh", ...crun, name],
    ]);
    expect({ status, stderr }).toEqual({ status: 3, stderr: "" });
    expect(stdout.split("\n")).toEqual([
      "65534:65534 given $(x) $$ it's",
      "root: Read-only file system",
      "tmp: written",
      "data: written",
      "home: written",
      "userfaultfd: Operation not permitted",
      "mount: Operation not permitted",
      "CapBnd:\t0000000000000000",
      "NoNewPrivs:\t1",
      "",
    ]);
  },
);
