/** How a container runtime starts a bundle: config.json of the OCI runtime specification, 1.0.2 to 1.2. */
import type { StartConfig } from "./start-config.ts";
import type { ProcessUser } from "./users.ts";

/** What a container may do as podman starts one. */
export const CAPABILITIES = [
  "CAP_CHOWN",
  "CAP_DAC_OVERRIDE",
  "CAP_FOWNER",
  "CAP_FSETID",
  "CAP_KILL",
  "CAP_NET_BIND_SERVICE",
  "CAP_SETFCAP",
  "CAP_SETGID",
  "CAP_SETPCAP",
  "CAP_SETUID",
  "CAP_SYS_CHROOT",
];

/** What of /proc and /sys says or does too much; what a machine has not, a runtime passes over. */
const MASKED = [
  "/proc/acpi",
  "/proc/asound",
  "/proc/kcore",
  "/proc/keys",
  "/proc/latency_stats",
  "/proc/sched_debug",
  "/proc/scsi",
  "/proc/timer_list",
  "/proc/timer_stats",
  "/sys/devices/virtual/powercap",
  "/sys/firmware",
];
const READ_ONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

interface RuntimeMount {
  destination: string;
  type: string;
  source: string;
  options: string[];
}

/** A hook of the stage `createRuntime` is run where the runtime is, one of `createContainer` in the container. */
export interface RuntimeHook {
  stage: "createRuntime" | "createContainer";
  path: string;
  args: string[];
}

export interface RuntimeRequest {
  name: string;
  config: StartConfig;
  user: ProcessUser;
  /** Path of the root file system: absolute, or below the runtime bundle. */
  root: string;
  /** Where the files of an app are bound from and to, where they are not the root. */
  files: { source: string; destination: string } | undefined;
  /** Program and arguments that mount the image for the container's namespace. */
  hook: RuntimeHook | undefined;
  /** Of who starts it without root's rights: the user of the container is this one outside. */
  rootless: { uid: number; gid: number } | undefined;
}

/** Members stand in the order of the specification. */
export function runtimeConfig(request: RuntimeRequest) {
  const { name, config, user, root, files, hook, rootless } = request;
  const bound = files === undefined ? [] : [bind(files.source, files.destination)];
  // A namespace that maps one group knows no others.
  const { additionalGids: _, ...alone } = user;
  return {
    // Nothing of later versions is in it, and runtimes of 1.0 refuse a number that they do not know.
    ociVersion: "1.0.2",
    process: {
      terminal: false,
      user: rootless === undefined ? user : alone,
      args: [...(config.Entrypoint ?? []), ...(config.Cmd ?? [])],
      env: config.Env ?? [],
      cwd: config.WorkingDir || "/",
      capabilities: {
        bounding: CAPABILITIES,
        effective: user.uid === 0 ? CAPABILITIES : [],
        permitted: user.uid === 0 ? CAPABILITIES : [],
      },
      noNewPrivileges: true,
    },
    root: { path: root, readonly: true },
    hostname: name,
    mounts: [...usualMounts(rootless !== undefined), ...bound],
    // When the container's mounts are there and its root is not yet the root.
    ...(hook !== undefined && { hooks: { [hook.stage]: [{ path: hook.path, args: hook.args }] } }),
    linux: {
      ...(rootless !== undefined && {
        uidMappings: [{ containerID: user.uid, hostID: rootless.uid, size: 1 }],
        gidMappings: [{ containerID: user.gid, hostID: rootless.gid, size: 1 }],
      }),
      // The network is the machine's, as at every start of a bundle.
      namespaces: ["pid", "ipc", "uts", "mount", ...(rootless ? ["user"] : [])].map((type) => ({
        type,
      })),
      maskedPaths: MASKED,
      readonlyPaths: READ_ONLY,
    },
  };
}

const bind = (source: string, destination: string): RuntimeMount => ({
  destination,
  type: "bind",
  source,
  options: ["rbind", "ro", "nosuid", "nodev"],
});

const memory = (destination: string, ...options: string[]): RuntimeMount => ({
  destination,
  type: "tmpfs",
  source: "tmpfs",
  options: ["nosuid", ...options],
});

function usualMounts(isRootless: boolean): RuntimeMount[] {
  const locked = ["nosuid", "noexec", "nodev"];
  const terminals = ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"];
  // Group 5 owns terminals, and is not mapped; sysfs is of who owns the network namespace.
  const sys: RuntimeMount = isRootless
    ? { destination: "/sys", type: "bind", source: "/sys", options: ["rbind", ...locked, "ro"] }
    : { destination: "/sys", type: "sysfs", source: "sysfs", options: [...locked, "ro"] };
  return [
    { destination: "/proc", type: "proc", source: "proc", options: [] },
    memory("/dev", "strictatime", "mode=755", "size=65536k"),
    {
      destination: "/dev/pts",
      type: "devpts",
      source: "devpts",
      options: isRootless ? terminals : [...terminals, "gid=5"],
    },
    memory("/dev/shm", "noexec", "nodev", "mode=1777", "size=65536k"),
    { destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: locked },
    sys,
    memory("/tmp", "nodev", "mode=1777"),
    memory("/run", "nodev", "mode=755"),
  ];
}
