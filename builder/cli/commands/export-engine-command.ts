/** `bundle export BUNDLE --systemd DIR`, and the other engines. */
import { exportEngine } from "../../api/export-engine.ts";
import type { EngineSettings } from "../../engines/engine.ts";
import { type EngineName, engines } from "../../engines/engines.ts";
import * as errors from "../../errors.ts";
import type { Arguments } from "../parse.ts";
import { print, printable, printJson } from "../print.ts";
import { parsed, parseNumber, unread } from "../values.ts";

const names = Object.keys(engines) as EngineName[];

/** Of the command line: cloud-init for cloudInit. */
const flagOf = (name: string) => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/** What names an engine, and where its files go. */
export const engineFlags: readonly string[] = names.map(flagOf);

/** Options that say something to engines alone. */
export const ofEngines = [
  ...["name", "program", "arg", "env", "socket", "credential", "force"],
  ...["image", "artifact-image", "url", "port", "cpus", "memory", "region", "secret", "notify"],
  ...["replicas", "job", "probe", "driver", "auto-update"],
];

/** The engine that a command line asks for. */
export const engineOf = (args: Arguments): EngineName | undefined =>
  names.find((name) => args.flag(flagOf(name)));

export async function exportEngineCommand(args: Arguments): Promise<void> {
  const [input = "", second] = args.positionals;
  if (second !== undefined) throw errors.optionConflict("an engine starts one bundle");
  const list = (name: string) => (args.flag(name) ? args.list(name) : undefined);
  const outputs = names.map((name) => [name, args.text(flagOf(name))] as const);
  const result = await exportEngine({
    input,
    ...Object.fromEntries(outputs),
    name: args.text("name"),
    program: args.text("program"),
    args: list("arg"),
    env: list("env"),
    sockets: list("socket"),
    credentials: list("credential"),
    image: args.text("image"),
    artifactImage: args.text("artifact-image"),
    url: args.text("url"),
    ports: list("port"),
    cpus: parsed(args.text("cpus"), parseNumber),
    memory: args.text("memory"),
    notify: args.flag("notify") || undefined,
    autoUpdate: parsed(args.text("auto-update"), unread<EngineSettings["autoUpdate"]>),
    region: args.text("region"),
    secrets: list("secret"),
    replicas: parsed(args.text("replicas"), parseNumber),
    job: args.flag("job") || undefined,
    probe: args.text("probe"),
    driver: parsed(args.text("driver"), unread<EngineSettings["driver"]>),
    force: args.flag("force") || undefined,
  });
  if (args.flag("json")) {
    printJson(result);
    return;
  }
  for (const file of result.files) print(`${printable(file)}\n`);
}
