#!/usr/bin/env node
/** The command `fuselage-bundle`. */
import { alias } from "../generated/spec.ts";
import { runProgram } from "./run-program.ts";

await runProgram(alias.name, async (argv) =>
  (await import("./assemble-alias.ts")).fuselageBundle(argv),
);
