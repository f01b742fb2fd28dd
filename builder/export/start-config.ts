/** What a bundle records of its start as the config of a container image. */
import * as errors from "../errors.ts";
import { environment } from "../generated/spec.ts";
import { BUNDLE_DIR, fromBytes, type Manifest } from "../manifest/manifest.ts";
import { displayPath } from "../tree/path.ts";
import type { Placement } from "./root-files.ts";

/** Of an image that says none: Docker's. */
const PATH_DEFAULT = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** The part `config` of an image's config (OCI image specification, "Image Configuration"). */
export interface StartConfig {
  User?: string;
  ExposedPorts?: Record<string, object>;
  Env?: string[];
  Entrypoint?: string[];
  Cmd?: string[];
  Volumes?: Record<string, object>;
  WorkingDir?: string;
  Labels?: Record<string, string>;
  StopSignal?: string;
}

/**
 * The config of an image that starts as the bundle does.
 *
 * @param base config of the image below
 * @param labels each `K=V`, behind those of the bundle
 * @throws E_EXPORT_INPUT for a bundle that records a command line of the runner
 */
export function startConfig(
  manifest: Manifest | undefined,
  { prefix }: Placement,
  base: StartConfig,
  labels: readonly string[],
): StartConfig {
  const all = {
    ...base.Labels,
    ...pairsOf(manifest?.labels?.map(fromBytes) ?? []),
    ...pairsOf(labels),
  };
  const Labels = Object.keys(all).length > 0 ? { Labels: sorted(all) } : {};
  if (manifest === undefined) return { ...base, ...Labels };
  if (manifest.invocation !== undefined) {
    const what = "records a command line of the runner, whose archives no container image has";
    throw errors.exportInput(fromBytes(manifest.name), what);
  }
  const { User, WorkingDir, StopSignal, ExposedPorts, Volumes } = base;
  const dir = `/${text(prefix, "path")}`;
  const merged: StartConfig = {
    ...optional("User", one(manifest.user) ?? User),
    ...optional("ExposedPorts", keyed(manifest.ports, ExposedPorts)),
    Env: environmentOf(manifest, dir, base.Env ?? []),
    ...argumentsOf(manifest, dir),
    ...optional("Volumes", keyed(manifest.volumes, Volumes)),
    ...optional("WorkingDir", one(manifest.workdir) ?? WorkingDir),
    ...Labels,
    ...optional("StopSignal", one(manifest.stopSignal) ?? StopSignal),
  };
  return merged;
}

const one = (bytes: string | undefined) => (bytes === undefined ? undefined : fromBytes(bytes));

function optional<K extends keyof StartConfig>(key: K, value: StartConfig[K] | undefined) {
  return value === undefined ? {} : { [key]: value };
}

function keyed(names: readonly string[] | undefined, below: Record<string, object> | undefined) {
  if (names === undefined) return below;
  return { ...below, ...Object.fromEntries(names.map((name) => [fromBytes(name), {}])) };
}

/** What has no name or no value is none. */
function pairsOf(texts: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    texts.flatMap((text) => {
      const end = text.indexOf("=");
      return end > 0 ? [[text.slice(0, end), text.slice(end + 1)]] : [];
    }),
  );
}

const sorted = (from: Record<string, string>) =>
  Object.fromEntries(Object.entries(from).sort(([a], [b]) => (a < b ? -1 : 1)));

/** JSON has texts alone: a byte that is no UTF-8 cannot be told to a container runtime. */
function text(bytes: string, what: string): string {
  const shown = fromBytes(bytes);
  if (Buffer.from(shown, "utf8").toString("latin1") === bytes) return shown;
  throw errors.exportInput(
    displayPath(bytes),
    `is no UTF-8, and stands in the ${what} of the bundle`,
  );
}

const expanded = (value: string, dir: string) => value.replaceAll(BUNDLE_DIR, dir);

function argumentsOf(manifest: Manifest, dir: string): StartConfig {
  const recorded = manifest.args.map((arg) => text(arg, "arguments"));
  const args = manifest.expandArgs ? recorded.map((arg) => expanded(arg, dir)) : recorded;
  const entry =
    manifest.entry === undefined
      ? []
      : [`${dir === "/" ? "" : dir}/${text(manifest.entry, "entry")}`];
  const Entrypoint = [...entry, ...args];
  return {
    ...(Entrypoint.length > 0 && { Entrypoint }),
    ...(manifest.cmd !== undefined && { Cmd: manifest.cmd.map((arg) => text(arg, "arguments")) }),
  };
}

/** In the order in which a start makes the changes. What it takes of its caller is the image's below. */
function environmentOf(manifest: Manifest, dir: string, base: readonly string[]): string[] {
  const variables = new Map<string, string>();
  const texts = (list: readonly string[] | undefined) =>
    (list ?? []).map((one) => expanded(text(one, "environment"), dir));
  for (const [name, value] of Object.entries(pairsOf(base))) variables.set(name, value);
  if (!variables.has("PATH")) variables.set("PATH", PATH_DEFAULT);
  for (const name of manifest.unset ?? []) variables.delete(fromBytes(name));
  for (const [name, value] of Object.entries(pairsOf(texts(manifest.env)))) {
    variables.set(name, value);
  }
  for (const [name, value] of Object.entries(pairsOf(texts(manifest.envDefault)))) {
    if (!variables.has(name)) variables.set(name, value);
  }
  for (const pair of texts(manifest.envPrepend)) join(variables, pair, (own, old) => [own, old]);
  for (const pair of texts(manifest.envAppend)) join(variables, pair, (own, old) => [old, own]);
  if (manifest.root === undefined) {
    variables.set(environment.FUSELAGE_BUNDLE_DIR, dir);
    if (manifest.appImageType !== undefined) variables.set("APPDIR", dir);
  }
  return [...variables].map(([name, value]) => `${name}=${value}`);
}

/** `K=V`, or `K,=V` with what joins them. */
function join(
  variables: Map<string, string>,
  pair: string,
  order: (own: string, old: string) => string[],
): void {
  const [, name = "", joint = "", value = ""] = /^(\w+)([^\w=])?=(.*)$/s.exec(pair) ?? [];
  const old = variables.get(name);
  const parts = old === undefined || old === "" ? [value] : order(value, old);
  variables.set(name, parts.join(joint || ":"));
}
