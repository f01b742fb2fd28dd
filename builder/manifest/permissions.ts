/**
 * What an app may do in its sandbox, as one object. It is the normal form: its rules come in one order,
 * whatever the order was in which they were given.
 */

/** Whether files are read, or written too. */
export type FileAccess = "ro" | "rw";

/** Devices beside those that every program expects: null, zero, random, the terminal. */
export type SandboxDevice = "gpu" | "audio" | "input";

/** What a sandboxed app may do beside reading and running its own image. */
export interface Permissions {
  /** By absolute path, or by one of the words `home`, `cwd`, `downloads` and `app-data`. */
  readonly fs?: Readonly<Record<string, FileAccess>> | undefined;
  /** TCP ports to connect to and to listen on (0: any free one), or all of the network. Default "none". */
  readonly net?: "none" | "all" | PortPermissions | undefined;
  /** Default: none. */
  readonly devices?: readonly SandboxDevice[] | undefined;
  /** Whom of the user's session it talks to. */
  readonly ipc?: SessionPermissions | undefined;
  /**
   * Programs that it starts: of its own image, or the machine's too. Default: of its own, unless the program
   * that the bundle starts is the machine's.
   */
  readonly exec?: "own" | "host" | undefined;
  /** It may trace its own processes. */
  readonly debug?: boolean | undefined;
  /** It may make user namespaces. */
  readonly userns?: boolean | undefined;
  /** It is in a process namespace, where it sees its own processes alone. */
  readonly pid?: boolean | undefined;
  /** It has a network namespace, with loopback alone. */
  readonly netns?: boolean | undefined;
  /** It has System V IPC and message queues, of an IPC namespace of its own. */
  readonly ipcns?: boolean | undefined;
}

/** TCP ports, 1 to 65535. */
export interface PortPermissions {
  /** Ports of any host. */
  readonly connect?: readonly number[] | undefined;
  /** 0: any free one. */
  readonly listen?: readonly number[] | undefined;
  /** UDP of any port too, which looking up names takes. */
  readonly udp?: boolean | undefined;
}

/** Services of the user's session. */
export interface SessionPermissions {
  /** It shows windows by X11, where it sees what other programs show and are typed. */
  readonly x11?: boolean | undefined;
  /** It shows windows by Wayland. */
  readonly wayland?: boolean | undefined;
  /** Names of services on D-Bus; `org.example.*` is all below. */
  readonly dbus?: readonly string[] | undefined;
}

/** Permissions that are there or not. */
export const permissionSwitches = ["debug", "userns", "pid", "netns", "ipcns"] as const;

/** A rule as a command line has it: words with colons between them; those in a path stay. */
export function shortRule(rule: string): string {
  const [, place, access] = /^fs (.*) (ro|rw)$/s.exec(rule) ?? [];
  return place === undefined ? rule.replaceAll(" ", ":") : `fs:${place}:${access}`;
}

/**
 * The rules in their one order. That there is no network and no device is said too, so that it does not
 * depend on what a reader takes for granted, and so that there is a rule where nothing is allowed.
 *
 * @param permissions that `parsePermissions` has seen, or that are written as it would write them
 */
export function formatPermissions(permissions: Permissions): string[] {
  const { fs = {}, net = "none", devices: used = [], ipc = {}, exec } = permissions;
  const network =
    typeof net === "string"
      ? [`net ${net}`]
      : [
          ...(net.connect ?? []).map((port) => `net connect ${port}`),
          ...(net.listen ?? []).map((port) => `net listen ${port}`),
          ...(net.udp ? ["net udp"] : []),
        ];
  return [
    ...Object.entries(fs).map(([place, access]) => `fs ${place} ${access}`),
    ...(network.length > 0 ? network : ["net none"]),
    ...(used.length > 0 ? used.map((one) => `devices ${one}`) : ["devices none"]),
    ...(ipc.x11 ? ["ipc x11"] : []),
    ...(ipc.wayland ? ["ipc wayland"] : []),
    ...(ipc.dbus ?? []).map((name) => `ipc dbus ${name}`),
    ...(exec === undefined ? [] : [`exec ${exec}`]),
    ...permissionSwitches.filter((one) => permissions[one]),
  ];
}
