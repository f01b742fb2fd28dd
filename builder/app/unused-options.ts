/** Options that were given and that only another kind of app takes. */
import type { BuildOptions } from "../config/build-options.ts";
import type { KindName } from "../config/kind-names.ts";
import { optionRules } from "../generated/spec.ts";
import { type Warning, warning } from "../warnings.ts";

/** One warning for each kind whose options there are. */
export function unusedOptions(options: BuildOptions, kind: KindName): Warning[] {
  const unused = new Map<string, string[]>();
  for (const [key, rule] of Object.entries(optionRules.build)) {
    if (!("kind" in rule) || rule.kind === kind) continue;
    if (options[key as keyof BuildOptions] === undefined) continue;
    unused.set(rule.kind, [...(unused.get(rule.kind) ?? []), rule.flag]);
  }
  return [...unused].map(([other, flags]) =>
    warning("W_OPTION_UNUSED", `${flags.join(", ")}: for the kind ${other}, and this is ${kind}`),
  );
}
