/** A whole command line: what is there, what is typed, what comes out. */
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { ErrorCode } from "../../builder/errors.ts";
import type { Need } from "./needs.ts";
import type { Outcome } from "./process.ts";

/** A file by its text, with "#!" executable; a link by its target. */
export type Files = Record<string, string | Buffer | { link: string } | { folder: true }>;

export interface Case {
  needs?: readonly Need[];
  /** Files in the working folder, by path; folders are made. */
  files?: Files;
  /** More of them, which is more than a table can say. */
  prepare?: (dir: string) => void | Promise<void>;
  /** Run as an ordinary user who owns the working folder. */
  asUser?: boolean;
  env?: Record<string, string | undefined>;
  /** Default "bundle". */
  program?: "bundle" | "fuselage-bundle";
  /** Arguments of it. */
  args: readonly string[];
  /** Runs something else than `bundle ARGS`. `command` and `args` would run it. */
  run?: (dir: string, command: string, args: readonly string[]) => Promise<Outcome>;
  /** Code of the failure; without it the command must succeed. */
  code?: ErrorCode;
  /** Exit status; default 0, or with a code 1. */
  status?: number;
  /** What stdout and stderr must hold. */
  stdout?: RegExp | string;
  stderr?: RegExp | string;
  /** What else must be true. A failed command must have left `dir` as it was in any case. */
  check?: (dir: string, outcome: Outcome) => void | Promise<void>;
}

/** A program that does nothing, successfully. */
export const program = "#!/bin/sh\nexit 0\n";

/** The smallest app. */
export const smallApp: Files = { "app/bin/app": program };

export function writeFiles(dir: string, files: Files): void {
  for (const [name, content] of Object.entries(files)) {
    const file = path.join(dir, name);
    mkdirSync(path.dirname(file), { recursive: true });
    if (typeof content === "string" || Buffer.isBuffer(content)) {
      writeFileSync(file, content);
      if (content.toString().startsWith("#!")) chmodSync(file, 0o755);
    } else if ("link" in content) symlinkSync(content.link, file);
    else mkdirSync(file, { recursive: true });
  }
}
