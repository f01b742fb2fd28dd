/** The config of an image → how its app starts (OCI image specification, "Image Configuration"). */
import * as errors from "../errors.ts";
import { configProblem, type ImageConfig, isPort } from "../manifest/image-config.ts";
import { byteString } from "../tree/path.ts";
import type { Document } from "./json.ts";

/** Texts are Unicode, but for `image`, whose values are byte strings. */
export interface AppConfig {
  /** Entrypoint. */
  args: readonly string[];
  /** `K=V` each. */
  env: readonly string[];
  image: ImageConfig;
  /** What of the config means nothing here: what it is, as one phrase each. */
  passedOver: readonly string[];
}

/** PATH of an image that says none. */
const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** A bundle has room for labels of people, not for the bills of material that some programs write there. */
const LABEL_MAX = 4096;
const LABELS_MAX = 128 << 10;

/** Of a root that says nothing of itself. */
export function plainConfig(): AppConfig {
  return { args: [], env: [`PATH=${DEFAULT_PATH}`], image: {}, passedOver: [] };
}

/** @throws E_OCI_INVALID */
export function parseConfig(document: Document): AppConfig {
  const config = document.object("config");
  const passedOver: string[] = [];
  if (config === undefined) return plainConfig();
  const texts = (key: string) => config.texts(key).map((text) => whole(text, key, document.shown));
  const one = (key: string) => {
    const text = config.text(key);
    return text === undefined || text === "" ? undefined : whole(text, key, document.shown);
  };
  const entrypoint = texts("Entrypoint");
  const env = texts("Env").filter((pair) => /^[^=]+=/.test(pair));
  const fits = <K extends keyof ImageConfig>(key: K, value: ImageConfig[K], shown: string) => {
    const problem = value === undefined ? undefined : configProblem({ [key]: value });
    if (problem) passedOver.push(`${shown} ${JSON.stringify(problem.value)}`);
    return problem === undefined && value !== undefined ? { [key]: value } : {};
  };
  const workdir = one("WorkingDir");
  const each = (key: "ports" | "volumes", values: readonly string[], shown: string) =>
    values.map(byteString).filter((value) => Object.keys(fits(key, [value], shown)).length > 0);
  const ports = each("ports", config.keys("ExposedPorts").map(portOf), "ExposedPorts");
  for (const port of ports) {
    if (!isPort(port)) passedOver.push(`ExposedPorts ${JSON.stringify(port)}`);
  }
  const image: ImageConfig = {
    cmd: texts("Cmd").map(byteString),
    ...fits("user", bytes(userOf(one("User"))), "User"),
    ...fits("workdir", bytes(workdir?.replace(/^(?!\/)/, "/")), "WorkingDir"),
    ...fits("stopSignal", bytes(signalOf(one("StopSignal"))), "StopSignal"),
    ports: ports.filter(isPort),
    volumes: each("volumes", config.keys("Volumes"), "Volumes"),
    labels: labelsOf(config.map("Labels"), passedOver),
  };
  const hasPath = env.some((pair) => pair.startsWith("PATH="));
  return {
    args: isReset(entrypoint) ? [] : entrypoint,
    env: hasPath ? env : [`PATH=${DEFAULT_PATH}`, ...env],
    image,
    passedOver,
  };
}

/** `ENTRYPOINT [""]` takes that of the image below away: Docker starts such an image by its Cmd. */
const isReset = (entrypoint: readonly string[]) => entrypoint.length === 1 && entrypoint[0] === "";

const bytes = (text: string | undefined) => (text === undefined ? undefined : byteString(text));

/** @throws E_OCI_INVALID for what no argument and no variable can hold */
function whole(text: string, key: string, shown: string): string {
  if (text.includes("\0")) {
    throw errors.ociInvalid(shown, `has a NUL byte in ${key}`, { expected: "text without NUL" });
  }
  return text;
}

/**
 * As runc reads it: a name or group that is not there is root, and what stands behind a second colon is nothing. Left
 * out, a user would be root without having been called so.
 */
function userOf(user: string | undefined): string | undefined {
  const [name = "", group = ""] = user?.split(":") ?? [];
  if (group !== "") return `${name === "" ? "0" : name}:${group}`;
  return name === "" ? undefined : name;
}

const portOf = (port: string) => (port.includes("/") ? port : `${port}/tcp`);

/** `TERM` and `sigterm` are SIGTERM for every engine. */
function signalOf(signal: string | undefined): string | undefined {
  if (signal === undefined || /^\d+$/.test(signal)) return signal;
  return signal.toUpperCase().replace(/^(?!SIG)/, "SIG");
}

function labelsOf(labels: Readonly<Record<string, string>>, passedOver: string[]): string[] {
  let room = LABELS_MAX;
  return Object.entries(labels).flatMap(([key, value]) => {
    const label = byteString(`${key}=${value}`);
    const fits = label.length <= Math.min(LABEL_MAX, room) && !label.includes("\0");
    if (!fits || configProblem({ labels: [label] })) {
      passedOver.push(`the label ${JSON.stringify(key.slice(0, 80))} (${label.length} bytes)`);
      return [];
    }
    room -= label.length;
    return [label];
  });
}
