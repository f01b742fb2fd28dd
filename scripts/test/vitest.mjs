// What vitest is told beyond its configuration: the order of the files, and to write down how long
// each took.

import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import path from "node:path";
import { BaseSequencer } from "vitest/node";
import { expected, measured, rank, timesFile } from "./kinds.mjs";

const root = path.resolve(import.meta.dirname, "../..");
const nameOf = (/** @type {string} */ file) => path.relative(root, file);

/** Quick kinds first, and quick files first among those of a kind. */
export class QuickFirst extends BaseSequencer {
  /**
   * @override
   * @param {import("vitest/node").TestSpecification[]} files
   */
  async sort(files) {
    const times = measured();
    const key = (/** @type {{moduleId: string}} */ { moduleId }) => [
      rank(nameOf(moduleId)),
      expected(nameOf(moduleId), times),
    ];
    return [...files]
      .map((file) => ({ file, key: key(file) }))
      .sort((a, b) => a.key[0] - b.key[0] || a.key[1] - b.key[1])
      .map(({ file }) => file);
  }
}

/** @typedef {import("vitest/node").Reporter} Reporter */

/**
 * Writes down how long each file took, for the next run to say how long it will take.
 * @implements {Reporter}
 */
export class TimesReporter {
  /** @param {readonly import("vitest/node").TestModule[]} modules */
  onTestRunEnd(modules) {
    const times = measured();
    for (const module of modules) {
      const { collectDuration, duration, setupDuration } = module.diagnostic();
      // A file whose tests are left out by their names took no time to speak of.
      if (duration === 0) continue;
      const seconds = (collectDuration + setupDuration + duration) / 1000;
      times[nameOf(module.moduleId)] = Number(seconds.toFixed(1));
    }
    mkdirSync(path.dirname(timesFile), { recursive: true });
    writeFileSync(`${timesFile}.${process.pid}`, `${JSON.stringify(times, null, 2)}\n`);
    renameSync(`${timesFile}.${process.pid}`, timesFile);
  }
}
