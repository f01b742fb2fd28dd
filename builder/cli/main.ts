#!/usr/bin/env node
/** The command `bundle`. What it takes is loaded when it is known that there is room for it. */
import { runProgram } from "./run-program.ts";

await runProgram("bundle", async (argv) => (await import("./bundle.ts")).bundle(argv));
