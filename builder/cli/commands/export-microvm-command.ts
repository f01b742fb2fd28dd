/** `bundle export BUNDLE --microvm DIR` */
import { exportMicroVm } from "../../api/export-microvm.ts";
import * as errors from "../../errors.ts";
import type { Arguments } from "../parse.ts";
import { print, printable, printJson } from "../print.ts";
import { parsed, parseNumber } from "../values.ts";

/** Options that say something of micro-VMs alone. */
export const ofMicroVms = ["kernel", "tap", "address", "gateway", "nameserver"];

/** Those of engines that say something of micro-VMs too. */
const shared = ["arg", "env", "cpus", "memory"];

/** @param ofEngines options of engines */
export async function exportMicroVmCommand(
  args: Arguments,
  ofEngines: readonly string[],
): Promise<void> {
  const strange = ofEngines.find((name) => args.flag(name) && !shared.includes(name));
  if (strange !== undefined) throw errors.optionConflict(`--${strange} says nothing to --microvm`);
  const [input = "", second] = args.positionals;
  if (second !== undefined) throw errors.optionConflict("--microvm takes one bundle");
  const list = (name: string) => (args.flag(name) ? args.list(name) : undefined);
  const result = await exportMicroVm({
    input,
    microvm: args.text("microvm") ?? "",
    kernel: args.text("kernel"),
    cpus: parsed(args.text("cpus"), parseNumber),
    memory: args.text("memory"),
    tap: args.text("tap"),
    address: args.text("address"),
    gateway: args.text("gateway"),
    nameservers: list("nameserver"),
    args: list("arg"),
    env: list("env"),
  });
  if (args.flag("json")) {
    printJson(result);
    return;
  }
  print(`${printable(result.directory)}: ${result.files.join(", ")}, kernel ${result.kernel}\n`);
}
