/** `bundle service install|remove|status BUNDLE` */
import {
  installService,
  removeService,
  type ServiceOptions,
  serviceStatus,
} from "../../api/service.ts";
import * as errors from "../../errors.ts";
import type { Arguments } from "../parse.ts";
import { print, printable, printJson } from "../print.ts";
import { parsed, parseNumber } from "../values.ts";

const actions = { install, remove, status };

export async function serviceCommand(args: Arguments): Promise<void> {
  const [wanted = "", input = ""] = args.positionals;
  if (!Object.hasOwn(actions, wanted)) {
    throw errors.optionValue("ACTION", Object.keys(actions).join(", "), JSON.stringify(wanted));
  }
  const list = (name: string) => (args.flag(name) ? args.list(name) : undefined);
  await actions[wanted as keyof typeof actions](args, {
    input,
    user: args.flag("user") || undefined,
    now: args.flag("now") || undefined,
    name: args.text("name"),
    args: list("arg"),
    env: list("env"),
    sockets: list("socket"),
    credentials: list("credential"),
    cpus: parsed(args.text("cpus"), parseNumber),
    memory: args.text("memory"),
    notify: args.flag("notify") || undefined,
  });
}

async function install(args: Arguments, options: ServiceOptions): Promise<void> {
  const result = await installService(options);
  if (args.flag("json")) return printJson(result);
  const { name, program, units, changed } = result;
  for (const file of [program, ...units]) print(`${printable(file)}\n`);
  const how = options.now ? "runs" : "is installed; --now starts it";
  print(`${printable(name)} ${how}${changed ? "" : ", and nothing has changed"}\n`);
}

async function remove(args: Arguments, options: ServiceOptions): Promise<void> {
  const result = await removeService(options);
  if (args.flag("json")) return printJson(result);
  const { name, files, kept } = result;
  if (files.length === 0) print(`${printable(name)} was not installed\n`);
  for (const file of files) print(`${printable(file)} removed\n`);
  if (kept) print(`${printable(kept)} was changed since it was installed, and stays\n`);
}

async function status(args: Arguments, options: ServiceOptions): Promise<void> {
  const result = await serviceStatus(options);
  if (args.flag("json")) return printJson(result);
  const { name, program, intact, active, enabled, pid, failure } = result;
  if (program === undefined) {
    print(`${printable(name)} is not installed\n`);
    return;
  }
  const changed = intact ? "" : ", changed since it was installed";
  const process = pid === 0 ? "" : `, process ${pid}`;
  print(`${printable(name)}: ${active}, ${enabled}${process}\n${printable(program)}${changed}\n`);
  if (failure !== undefined) print(`${failure}; journalctl has what it said\n`);
}
