/** Archives to assemble bundles around. */
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { pack } from "../../builder/api/pack.ts";
import { type Files, writeFiles } from "./case.ts";

/** A program that prints its arguments, one a line. */
const printer = '#!/bin/sh\nfor argument; do echo "$argument"; done\n';

/** An app with the program, which an archive is made of. */
export const printerApp: Files = { "app/bin/app": printer };

/** Packs the folder `app` of `dir` into `app.sfs`. */
export async function packApp(dir: string, files: Files = printerApp): Promise<void> {
  writeFiles(dir, files);
  await pack({ input: path.join(dir, "app"), output: path.join(dir, "app.sfs") });
}

/** Changes the bytes of `app.sfs`. */
export function changeArchive(dir: string, change: (bytes: Buffer) => Buffer): void {
  const file = path.join(dir, "app.sfs");
  writeFileSync(file, change(readFileSync(file)));
}

/** The shortest invocation that uses the bundle's own image. */
export const ownImage = ["--static=app:/proc/self/exe", "--run", "bin/app"];

/** A command line of `bundle assemble` for `app.sfs`. */
export const assembleArgs = (...invocation: string[]): string[] => [
  "assemble",
  "--archive=app.sfs",
  "--output=out.run",
  "--",
  ...(invocation.length > 0 ? invocation : ownImage),
];
