#!/usr/bin/env node
/** The command `bundle`. What it takes is loaded when it is known that there is room for it. */
import { startProgram } from "./start-program.ts";

await startProgram("bundle", async (argv) => (await import("./bundle.ts")).bundle(argv));
