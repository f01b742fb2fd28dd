/** What a service is kept from: systemd.exec(5), by what the bundle needs and by what its app declares. */
import type { FileAccess, Permissions } from "../../manifest/permissions.ts";
import { type DeclaredPlace, declaredPlaces } from "../declared-places.ts";
import { deviceKinds } from "../devices.ts";
import type { BundleFacts } from "../engine.ts";
import { unitPath } from "./quoting.ts";

/** Folders that a service finds empty, or others of that name. */
const HIDDEN: readonly string[] = ["/home", "/root", "/run/user", "/tmp", "/var/tmp"];

const isBelow = (file: string, folders: readonly string[]) =>
  folders.find((folder) => file.startsWith(`${folder}/`));

/** The folder that hides a file from services. */
export const hiddenBy = (file: string): string | undefined => isBelow(file, HIDDEN);

const FUSE = "/dev/fuse";

/**
 * Without a namespace of its own the runtime extracts the files, for which it needs no right at all. What the app
 * declares is the runtime's to enforce too: what systemd has no word for is left to it.
 *
 * @param root whose files the service sees
 * @param points where paths of the machine's are mounted, unless at their own
 * @throws E_ENGINE_INPUT for a path that it cannot have
 */
export function fenceOf(
  facts: BundleFacts,
  root: "machine" | "image",
  points: ReadonlyMap<string, string> = new Map(),
) {
  const { needsNamespace, permissions } = facts;
  const declared = (permissions?.devices ?? []).map((one) => deviceKinds[one]);
  const fuse = needsNamespace ? [FUSE] : [];
  const { reading, writing, homes } = boundPlaces(
    declaredPlaces(facts, { root, wanted: ["ro", "rw"] }),
    points,
  );
  return {
    ...userFenceOf(facts),
    devices: [...fuse, ...declared.map(({ driver }) => driver)].map((one) => `${one} rw`),
    homes,
    reading,
    // Its own folder of devices has none but those that every program expects, and these.
    writing: [...fuse, ...declared.map(({ folder }) => `-${folder}`), ...writing],
    privateUsers: "yes",
    tunables: "yes",
    capabilities: "",
    ...networkOf(permissions),
  };
}

/** Of the service of a user: what filters system calls. */
export function userFenceOf({ needsNamespace, isRoot, permissions }: BundleFacts) {
  return {
    mount: needsNamespace ? "fuse" : "extract",
    families: networkOf(permissions).families,
    namespaces: namespacesOf(needsNamespace, permissions),
    setId: isRoot ? undefined : "yes",
    calls: callsOf(needsNamespace, isRoot, permissions),
  };
}

/** Of paths alone: the words for folders of a user mean nothing to a service, whose home is its state. */
function boundPlaces(places: readonly DeclaredPlace[], points: ReadonlyMap<string, string>) {
  const hidden = places.some(({ path }) => hiddenBy(`${path}/`) !== undefined);
  const bound = (wanted: FileAccess) =>
    places
      .filter(({ access }) => access === wanted)
      // What is not there is left out; a colon would end the path.
      .map(({ path }) => {
        const source = unitPath(`-${path}`, "files", ":");
        const point = points.get(path) ?? path;
        return point === path ? source : `${source}:${unitPath(point, "files", ":")}`;
      });
  return { reading: bound("ro"), writing: bound("rw"), homes: hidden ? "tmpfs" : "yes" };
}

function networkOf(permissions: Permissions | undefined) {
  const net = permissions?.net ?? (permissions === undefined ? "all" : "none");
  // Sockets that systemd hands over work without a network of the service's own.
  if (net === "none") return { families: "AF_UNIX", privateNetwork: "yes", addresses: "any" };
  return {
    families: "AF_UNIX AF_INET AF_INET6 AF_NETLINK",
    privateNetwork: undefined,
    addresses: undefined,
  };
}

function namespacesOf(needsNamespace: boolean, permissions: Permissions | undefined): string {
  const { userns, pid, netns, ipcns } = permissions ?? {};
  if (userns) return "user mnt pid net ipc uts";
  const own = [...(pid ? ["pid"] : []), ...(netns ? ["net"] : []), ...(ipcns ? ["ipc"] : [])];
  if (!needsNamespace && own.length === 0) return "yes";
  return ["user", "mnt", ...own].join(" ");
}

/** By what the runtime fences an app in. Groups of system calls have them from systemd 254 on. */
const FENCING = "seccomp landlock_create_ruleset landlock_add_rule landlock_restrict_self";

function callsOf(
  needsNamespace: boolean,
  isRoot: boolean,
  permissions: Permissions | undefined,
): string[] {
  const debug = permissions?.debug ? " @debug" : "";
  const mounts = needsNamespace || permissions?.userns ? " @mount" : "";
  // An image that is a root has users and a root of its own, by calls that are privileged elsewhere.
  const isPlain = !isRoot && !permissions?.userns;
  const refused = isPlain ? "~@privileged @resources" : "~@resources";
  return [`@system-service${mounts}${debug} ${FENCING}`, refused];
}
