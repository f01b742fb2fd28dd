#!/usr/bin/env node
/** The command `fuselage-bundle`. */
import { alias } from "../generated/spec.ts";
import { startProgram } from "./start-program.ts";

await startProgram(alias.name, async (argv) =>
  (await import("./assemble-alias.ts")).fuselageBundle(argv),
);
