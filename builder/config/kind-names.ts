/** Kinds of app by their names in scripts/spec/options.json; app/kinds.ts has one of each. */
import type { configKeys } from "../generated/spec.ts";

/** What `kind` takes. */
export type KindChoice = (typeof configKeys.properties.kind.enum)[number];

/** Without "auto", which means that the kind is found. */
export type KindName = Exclude<KindChoice, "auto">;
