/** `bundle deploy BUNDLE|ACTION [NAME] --to ENGINE`: a bundle as a machine of an engine's, and what becomes of it. */
import { existsSync } from "node:fs";
import { type Inspection, withImage } from "../../api/inspect.ts";
import {
  checkDeployOptions,
  type DeployAction,
  type DeployOptions,
  isAction,
} from "../../config/deploy-options.ts";
import { nearest } from "../../config/nearest-name.ts";
import { engineAddress } from "../../deploy/address.ts";
import { shown } from "../../deploy/answers.ts";
import { Engine } from "../../deploy/client.ts";
import { findToken } from "../../deploy/credentials.ts";
import { deploy } from "../../deploy/deploy.ts";
import type { Deployment } from "../../deploy/deployment.ts";
import { Redactor, readSecrets } from "../../deploy/secrets.ts";
import { addressTowards, offer } from "../../deploy/serve.ts";
import * as errors from "../../errors.ts";
import { sha256OfHandle } from "../../host/digest.ts";
import { fromBytes } from "../../manifest/manifest.ts";
import { actions } from "../deploy/actions.ts";
import { environmentRows } from "../deploy/show.ts";
import { interruptible } from "../interruption.ts";
import type { Arguments } from "../parse.ts";
import { note, print, printable, printJson } from "../print.ts";
import { parsed, parseNumber } from "../values.ts";

const USAGE = "bundle deploy BUNDLE|ACTION [NAME] --to ENGINE";

export async function deployCommand(args: Arguments): Promise<void> {
  const [first = "", name = "", ...more] = args.positionals;
  const action = isAction(first) ? first : undefined;
  const surplus = action === undefined ? name : more[0];
  const meant = action === undefined ? nearest(first, Object.keys(actions)) : undefined;
  const hint = meant && `Did you mean \`bundle deploy ${meant}\`?`;
  if (surplus) throw errors.argument(`"${surplus}" is one argument too many`, USAGE, hint);
  if (hint !== undefined && !existsSync(first)) {
    throw errors.argument(`"${first}" is neither a file nor an action`, USAGE, hint);
  }
  const needsName = action !== undefined && action !== "list" && action !== "metrics";
  if (needsName && name === "") {
    throw errors.argument(`NAME is missing, of what to ${action}`, USAGE);
  }
  if (action !== undefined && action !== "exec" && args.rest !== undefined) {
    throw errors.argument(`${action} takes nothing behind --`, USAGE);
  }
  const options = optionsOf(args);
  checkDeployOptions(options, action, args.flag("serve"));
  const url = engineAddress(options.to, options.insecure ?? false);
  const secrets = await readSecrets(options.secrets ?? []);
  const engine = new Engine(url, await findToken(url), new Redactor());
  engine.onWait = note;
  try {
    const rest = args.rest ?? [];
    const json = args.flag("json");
    if (action === undefined) await deployBundle(first, { args, options, secrets, engine });
    else await actions[action satisfies DeployAction]({ engine, name, options, rest, json });
  } finally {
    await engine.close();
  }
}

function optionsOf(args: Arguments): DeployOptions {
  const list = (name: string) => (args.flag(name) ? args.list(name) : undefined);
  const number = (name: string) => parsed(args.text(name), parseNumber);
  return {
    to: args.text("to") ?? "",
    name: args.text("name"),
    url: args.text("url"),
    cpus: number("cpus"),
    memory: args.text("memory"),
    region: args.text("region"),
    labels: list("label"),
    secrets: list("secret"),
    env: list("env"),
    expose: list("expose"),
    ttl: args.text("ttl"),
    wait: args.flag("wait") || undefined,
    timeout: number("timeout"),
    startTimeout: number("start-timeout"),
    follow: args.flag("follow") || undefined,
    lines: number("lines"),
    comment: args.text("comment"),
    snapshot: args.text("snapshot"),
    snapshots: args.flag("snapshots") || undefined,
    insecure: args.flag("insecure") || undefined,
  };
}

interface Given {
  args: Arguments;
  options: DeployOptions;
  secrets: ReadonlyMap<string, string>;
  engine: Engine;
}

async function deployBundle(
  file: string,
  { args, options, secrets, engine }: Given,
): Promise<void> {
  const deployment = await deploymentOf(file, { args, options, secrets, engine });
  const { name } = deployment;
  const onStep = (line: string) => note(shown(`${name}: ${line}`, engine));
  const onSignal = () =>
    onStep("interrupted; what was begun is undone, a second signal ends at once");
  const onSecond = () => onStep(`a machine may be left; \`bundle deploy destroy ${name}\` ends it`);
  const { environment: made, existed } = await interruptible(
    onSignal,
    (signal) => deploy(engine, deployment, { signal, onStep }),
    onSecond,
  );
  if (existed) onStep("it is there already, with the same bundle");
  const environment = shown(made, engine);
  if (args.flag("json")) printJson({ ...environment, existed });
  else print(environmentRows(environment));
}

async function deploymentOf(
  file: string,
  { args, options, secrets, engine }: Given,
): Promise<Deployment> {
  const { inspection, sha256 } = await withImage(file, async (inspection, _, handle) => {
    if (inspection.kind === "image" || inspection.kind === "elf") {
      throw errors.exportInput(file, "starts nothing: it is no bundle and no AppImage");
    }
    return { inspection, sha256: (await sha256OfHandle(handle, file)).toString("hex") };
  });
  const { size, arch = "" } = inspection;
  const env = pairs(options.env ?? []);
  const both = [...secrets.keys()].find((name) => env.has(name));
  if (both !== undefined) {
    throw errors.optionConflict((name) => `${name("env")} and ${name("secrets")} both set ${both}`);
  }
  return {
    name: options.name ?? nameOf(inspection, file),
    sha256,
    size,
    arch,
    args: args.rest ?? [],
    cpus: options.cpus ?? 1,
    memory: mebibytes(options.memory ?? "512M"),
    region: options.region,
    labels: pairs(options.labels ?? []),
    env,
    secrets,
    expose: (options.expose ?? []).map(portOf),
    ttl: parsed(options.ttl, seconds),
    wait: options.wait ?? false,
    timeout: options.timeout ?? 600,
    startTimeout: options.startTimeout ?? 55,
    async offer() {
      const { url } = options;
      if (url !== undefined) return { url, close: async () => {} };
      const { host, port } = await placeOf(args.text("serve") ?? "", engine.url);
      return offer({ file, size, sha256, host, port });
    },
  };
}

/** @throws E_OPTION_VALUE */
async function placeOf(text: string, engine: URL): Promise<{ host: string; port: number }> {
  if (text === "") return { host: await addressTowards(engine), port: 0 };
  const [, six, name, port] =
    /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const host = six ?? name;
  if (host === undefined || Number(port ?? 0) > 65535) {
    throw errors.optionValue(
      "--serve",
      "HOST or HOST:PORT, an address of IPv6 in brackets",
      `"${text}"`,
    );
  }
  return { host, port: Number(port ?? 0) };
}

function pairs(texts: readonly string[]): Map<string, string> {
  return new Map(
    texts.map((text) => {
      const at = text.indexOf("=");
      return [text.slice(0, at), text.slice(at + 1)];
    }),
  );
}

/** @throws E_OPTION_VALUE */
function portOf(text: string): { port: number; as?: string } {
  const [number = "", as] = text.split(":");
  const port = Number(number);
  if (port > 65535) throw errors.optionValue("expose", "a port from 1 to 65535", `"${text}"`);
  return { port, ...(as !== undefined && { as }) };
}

const mebibytes = (text: string): number =>
  Number.parseInt(text, 10) * (text.endsWith("G") ? 1024 : 1);

const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86400 };
const seconds = (text: string): number =>
  Number.parseInt(text, 10) * (SECONDS[text.slice(-1)] ?? 1);

/** What a bundle calls itself, as a DNS label. @throws E_OPTION_MISSING */
function nameOf({ manifest }: Inspection, file: string): string {
  const own = manifest === undefined ? file.replace(/^.*\//s, "") : fromBytes(manifest.name);
  const name = own
    .toLowerCase()
    .replace(/\.(run|appimage)$/, "")
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, 63)
    .replace(/^-+|-+$/g, "");
  if (name !== "") return name;
  throw errors.optionMissing("name", `nothing can be made of ${printable(own)}`);
}
