/** What is done with a bundle inside a machine of Fuse's: by texts for its shell. */
import { renderTemplate } from "../../host/template.ts";

/** A bundle and where a machine gets it. */
export interface GuestBundle {
  /** Name of the deployment: a DNS label. */
  name: string;
  url: string;
  /** 64 hex digits. */
  sha256: string;
  /** Bytes. */
  size: number;
  /** As `uname -m` says it. */
  arch: string;
  args: readonly string[];
}

/** The folder of a deployment in its machine: `app`, `digest`, `pid`, `log`. */
const guestFolder = (name: string): string => `/var/lib/fuselage/${name}`;

const shellWord = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/**
 * Statuses of the script. An orchestrator says that of it and no more, whatever it printed.
 */
const statuses = {
  wrongMachine: [80, "the bundle is for another machine than this host has"],
  noTool: [81, "the machine has neither curl nor wget nor python3 to fetch the bundle with"],
  notFetched: [82, "the machine cannot fetch the bundle from the address that it was given"],
  otherDigest: [83, "what the machine fetched is not the bundle: it has another sha256"],
  appEnded: [84, "the app has failed within a second"],
} as const;

/** What the script's status means; undefined: it is none of its own. */
export const scriptFailure = (status: number): string | undefined =>
  Object.values(statuses).find(([own]) => own === status)?.[1];

const status = (name: keyof typeof statuses) => ({ [name]: `${statuses[name][0]}` });

/** Fetches and checks the bundle. */
export function fetchScript({ name, url, sha256, size, arch }: GuestBundle): string {
  return renderTemplate("engines/fuse/start.sh", {
    arch,
    dir: guestFolder(name),
    blocks: `${Math.ceil(size / 512)}`,
    url,
    sha256,
    ...status("wrongMachine"),
    ...status("noTool"),
    ...status("notFetched"),
    ...status("otherDigest"),
  });
}

/** Starts it: what it prints goes to a file, and it goes on without a session. */
export function runScript({ name, args }: Pick<GuestBundle, "name" | "args">): string {
  const words = args.map((arg) => `${shellWord(arg)} `).join("");
  return renderTemplate("engines/fuse/run.sh", {
    dir: guestFolder(name),
    args: words,
    ...status("appEnded"),
  });
}

/** Both. */
export const startScript = (bundle: GuestBundle): string =>
  `${fetchScript(bundle)}\n${runScript(bundle)}`;

/** A command that succeeds while the app runs, and listens on all of `ports`: TCP, of either family. */
export function healthCommand(name: string, ports: readonly number[]): string[] {
  const listens = ports.map((port) => {
    const hex = port.toString(16).toUpperCase().padStart(4, "0");
    return `cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | grep -q ':${hex} [0-9A-F]*:0000 0A '`;
  });
  const alive = `kill -0 "$(cat ${shellWord(`${guestFolder(name)}/pid`)})"`;
  return ["sh", "-c", [alive, ...listens].join(" && ")];
}

/** Asks the app to end, and waits for that. Succeeds where there is none. */
export function stopCommand(name: string, seconds: number): string[] {
  const script =
    `pid=$(cat ${shellWord(`${guestFolder(name)}/pid`)} 2>/dev/null) || exit 0; kill -TERM "$pid" 2>/dev/null || exit 0; ` +
    `i=0; while kill -0 "$pid" 2>/dev/null; do i=$((i + 1)); [ $i -gt ${seconds} ] && exit 1; sleep 1; done`;
  return ["sh", "-c", script];
}

/** Prints which bundle was started. */
export const digestCommand = (name: string): string[] => ["cat", `${guestFolder(name)}/digest`];

/**
 * Prints where a piece of the log ends, in bytes, then that piece: what is no text arrives as other bytes, and
 * their number says nothing. A log that was begun anew is printed from its beginning.
 */
export function logCommand(name: string, from: number, most: number): string[] {
  const file = shellWord(`${guestFolder(name)}/log`);
  const script =
    `size=$(wc -c <${file}) || exit; from=${from}; [ $size -ge $from ] || from=0; ` +
    `end=$((from + ${most})); [ $end -le $size ] || end=$size; ` +
    `echo $end; tail -c +$((from + 1)) ${file} | head -c $((end - from))`;
  return ["sh", "-c", script];
}

/** Prints how many bytes the log has, then its last lines, at most `most` bytes of them. */
export function tailCommand(name: string, lines: number, most: number): string[] {
  const file = shellWord(`${guestFolder(name)}/log`);
  const script = `size=$(wc -c <${file}) && echo $size && head -c $size ${file} | tail -n ${lines} | tail -c ${most}`;
  return ["sh", "-c", script];
}

/** What the orchestrator takes as a manifest: variables, of which it writes a file in the machine. */
export function guestManifest(env: ReadonlyMap<string, string>, secrets: Iterable<string>): string {
  const variables = [
    ...[...env].map(([name, value]) => [name, { value }]),
    ...[...secrets].map((name) => [name, { secret: name }]),
  ];
  const machine = { workspace: "/workspace", env: Object.fromEntries(variables) };
  return JSON.stringify({ version: "1", machine, services: {} });
}
