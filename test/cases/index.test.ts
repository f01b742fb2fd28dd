/** Runs every folder here that holds a case.ts; its name is the sentence that must be true. */
import { chownSync, existsSync, lstatSync, readdirSync } from "node:fs";
import path from "node:path";
import { describe, expect } from "vitest";
import { errnoCode } from "../../builder/errors.ts";
import { type Case, writeFiles } from "../support/case.ts";
import { skipUnless } from "../support/needs.ts";
import {
  aliasCommand,
  asUser,
  bundleCommand,
  isRoot,
  ordinaryUser,
  run,
  withoutNotices,
} from "../support/process.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const here = import.meta.dirname;

/** None for a folder that may not be read, which some cases are about. */
function namesIn(dir: Buffer): Buffer[] {
  try {
    return readdirSync(dir, "buffer");
  } catch (error) {
    if (errnoCode(error) === "EACCES") return [];
    throw error;
  }
}

/** All paths below a folder, with what tells that a file changed. */
function snapshot(dir: string): string[] {
  const lines: string[] = [];
  const pending = [Buffer.from(dir)];
  for (let parent = pending.pop(); parent !== undefined; parent = pending.pop()) {
    for (const name of namesIn(parent)) {
      const file = Buffer.concat([parent, Buffer.from("/"), name]);
      const stats = lstatSync(file);
      if (stats.isDirectory()) pending.push(file);
      lines.push(`${file.toString("latin1")} ${stats.mode} ${stats.size} ${stats.mtimeMs}`);
    }
  }
  return lines.sort();
}

function giveToUser(dir: string): void {
  const { uid, gid } = ordinaryUser();
  chownSync(dir, uid, gid);
}

async function runCase(given: Case): Promise<void> {
  const dir = temporaryDirectory();
  if (given.asUser && isRoot) giveToUser(dir);
  writeFiles(dir, given.files ?? {});
  await given.prepare?.(dir);
  const before = snapshot(dir);
  const program = given.program === "fuselage-bundle" ? aliasCommand : bundleCommand;
  const args = [program, ...given.args];
  const options = { cwd: dir, ...(given.env && { env: given.env }) };
  const outcome = given.run
    ? await given.run(dir, process.execPath, args)
    : withoutNotices(
        given.asUser
          ? await asUser(process.execPath, args, dir, options)
          : await run(process.execPath, args, options),
      );

  const failed = given.code !== undefined;
  if (failed) expect(outcome.stderr).toContain(`[${given.code}]`);
  expect(outcome).toMatchObject({ status: given.status ?? (failed ? 1 : 0) });
  for (const stream of ["stdout", "stderr"] as const) {
    const wanted = given[stream];
    if (wanted !== undefined) expect(outcome[stream]).toMatch(wanted);
  }
  if (failed) expect(snapshot(dir)).toEqual(before);
  await given.check?.(dir, outcome);
}

const cases: [name: string, given: Case][] = [];
for (const name of readdirSync(here).sort()) {
  const file = path.join(here, name, "case.ts");
  if (!existsSync(file)) continue;
  cases.push([name, ((await import(file)) as { default: Case }).default]);
}

// Each has a folder of its own, and most of the time is that of a command that starts.
describe.concurrent("a command line:", () => {
  for (const [name, given] of cases) {
    skipUnless(...(given.needs ?? []))(name.replaceAll("-", " "), () => runCase(given));
  }
});
