/** A manifest as the commands show it. */
import { parseLibc } from "../libraries/libc/libc-record.ts";
import { parseKept } from "../manifest/kept-file.ts";
import { fromBytes, type Manifest } from "../manifest/manifest.ts";
import { permissionsOfRecords } from "../manifest/permission-rules.ts";
import { permissionWords } from "../manifest/permission-words.ts";
import { type StartRun, startSize } from "../manifest/start-list.ts";
import { displayPath } from "../tree/path.ts";
import { counted, formatBytes } from "./print.ts";

/** As `--json` shows it; what a bundle does not have is left out. */
export function manifestJson(manifest: Manifest): Record<string, unknown> {
  const { entry, invocation, mountAt } = manifest;
  return {
    name: fromBytes(manifest.name),
    ...(entry !== undefined && { entry: fromBytes(entry) }),
    ...(invocation && { invocation: invocation.map(fromBytes) }),
    args: manifest.args.map(fromBytes),
    ...(manifest.unset && { unset: manifest.unset.map(fromBytes) }),
    env: manifest.env.map(fromBytes),
    ...(manifest.envDefault && { envDefault: manifest.envDefault.map(fromBytes) }),
    ...(manifest.envPrepend && { envPrepend: manifest.envPrepend.map(fromBytes) }),
    ...(manifest.envAppend && { envAppend: manifest.envAppend.map(fromBytes) }),
    ...(mountAt !== undefined && { mountAt: fromBytes(mountAt) }),
    ...(manifest.maps && { maps: manifest.maps.map(fromBytes) }),
    writable: manifest.writable === true,
    ...(manifest.needs && { needs: manifest.needs.map(fromBytes) }),
    ...(manifest.openssl !== undefined && { openssl: fromBytes(manifest.openssl) }),
    ...(manifest.libc && { libc: manifest.libc.map(libcJson) }),
    ...(manifest.start && { start: startSize(manifest.start) }),
    ...(manifest.storedBytes !== undefined && { storedBytes: manifest.storedBytes }),
    ...(manifest.keep && { keep: manifest.keep.map(keptJson) }),
    ...rootJson(manifest),
    ...(manifest.sandbox && { sandbox: sandboxJson(manifest.sandbox) }),
    imageSize: manifest.imageSize,
    runtimeOptions: !manifest.noRuntimeOptions,
    version: manifest.version,
    arch: manifest.arch,
  };
}

/** What a bundle has whose image is the app's root. */
function rootJson(manifest: Manifest): Record<string, unknown> {
  const { root, cmd, user, workdir, run, ports, volumes, stopSignal, labels, source } = manifest;
  return {
    ...(root !== undefined && { root }),
    ...(cmd && { cmd: cmd.map(fromBytes) }),
    ...(user !== undefined && { user: fromBytes(user) }),
    ...(workdir !== undefined && { workdir: fromBytes(workdir) }),
    ...(run && { run: run.map(fromBytes) }),
    ...(ports && { ports: ports.map(fromBytes) }),
    ...(volumes && { volumes: volumes.map(fromBytes) }),
    ...(stopSignal !== undefined && { stopSignal: fromBytes(stopSignal) }),
    ...(labels && { labels: labels.map(fromBytes) }),
    ...(source !== undefined && { source: fromBytes(source) }),
  };
}

/** The permissions as a configuration file has them, the rules as they are recorded, and words for each. */
function sandboxJson(rules: readonly string[]): Record<string, unknown> {
  const texts = rules.map(fromBytes);
  return {
    permissions: permissionsOfRecords(rules),
    rules: texts,
    words: texts.map(permissionWords),
  };
}

/** Its parts; of a line that a later builder wrote the whole text. */
function libcJson(bytes: string): Record<string, unknown> {
  const text = fromBytes(bytes);
  return { ...(parseLibc(text) ?? { text }) };
}

function startText(runs: readonly StartRun[]): string {
  const { files, bytes } = startSize(runs);
  return `${formatBytes(bytes)} of ${counted(files, "file")}`;
}

function storedText({ storedBytes = 0 }: Manifest): string {
  return storedBytes > 0 ? `${formatBytes(storedBytes)} of what starts read, uncompressed` : "";
}

function keptJson(bytes: string): Record<string, unknown> {
  const file = parseKept(bytes);
  return file ? { ...file, path: fromBytes(file.path) } : { text: fromBytes(bytes) };
}

/** The same for people. */
function rootRows(manifest: Manifest, list: (values: readonly string[]) => string) {
  const { root, cmd, user, workdir, run, ports, volumes, stopSignal, labels, source } = manifest;
  return [
    ["root", root === undefined ? "" : "the image is the app's root directory"],
    ["or, if none", list(cmd ?? [])],
    ["user", displayPath(user ?? "")],
    ["starts in", displayPath(workdir ?? "")],
    ["run options", displayPath((run ?? []).join(" "))],
    ["listens on", displayPath((ports ?? []).join(", "))],
    ["volumes", list(volumes ?? [])],
    ["stop signal", displayPath(stopSignal ?? "")],
    ["labels", list(labels ?? [])],
    ["made of", displayPath(source ?? "")],
  ] satisfies [string, string][];
}

/** Rows of name and value for people; an empty value is not shown. */
export function manifestRows(manifest: Manifest): [string, string][] {
  const list = (values: readonly string[]) => values.map(displayPath).join("\n             ");
  return [
    ["made by", `fuselage-bundle ${displayPath(manifest.version)}`],
    ["name", displayPath(manifest.name)],
    ["entry", displayPath(manifest.entry ?? "")],
    ["invocation", list(manifest.invocation ?? [])],
    ["arguments", list(manifest.args)],
    ["variables", list(manifest.env)],
    ["by default", list(manifest.envDefault ?? [])],
    ["prepended", list(manifest.envPrepend ?? [])],
    ["appended", list(manifest.envAppend ?? [])],
    ["unset", list(manifest.unset ?? [])],
    ["mounted at", displayPath(manifest.mountAt ?? "")],
    ["maps", list(manifest.maps ?? [])],
    ["writable", manifest.writable ? "a private copy, gone at exit" : ""],
    ["needs", displayPath((manifest.needs ?? []).join(", "))],
    ["OpenSSL of", displayPath(manifest.openssl ?? "")],
    ["libc", list(manifest.libc ?? [])],
    ["start list", manifest.start === undefined ? "" : startText(manifest.start)],
    ["stored", storedText(manifest)],
    ["kept", list((manifest.keep ?? []).map((text) => parseKept(text)?.path ?? text))],
    ...rootRows(manifest, list),
    ["sandbox", list((manifest.sandbox ?? []).map(permissionWords))],
    ["options", manifest.noRuntimeOptions ? "--bundle-* options belong to the app" : ""],
  ];
}
