/** A progress bar for work that turns out to be long, on a terminal only. */
import { Presets, SingleBar } from "cli-progress";
import { environment } from "../generated/spec.ts";
import type { Progress } from "../squashfs/squashfs-options.ts";
import { formatBytes } from "./print.ts";

/** Shorter work shows no bar; it would only flicker. Milliseconds. */
const PATIENCE = 500;

/** The terminal's own settings (line wrap, cursor) stay as they are: a signal may end us any time. */
const options = {
  format: "{bar} {percentage}%  {done} of {all}, {files} of {allFiles} files",
  stream: process.stderr,
  barsize: 32,
  clearOnComplete: true,
  linewrap: true,
  hideCursor: false,
  gracefulExit: false,
};

export interface ProgressBar {
  update: (progress: Progress) => void;
  /** Clears the line. */
  stop: () => void;
}

/** A bar is for people: not in a pipe or a log, nor in CI. */
function wanted(): boolean {
  const { [environment.CI]: ci, TERM } = process.env;
  return process.stderr.isTTY === true && !ci && TERM !== "dumb";
}

/** Starts to watch; nothing is shown before `PATIENCE` is over. */
export function progressBar(): ProgressBar {
  if (!wanted()) return { update: () => {}, stop: () => {} };
  const started = performance.now();
  let bar: SingleBar | undefined;
  return {
    update({ bytes, totalBytes, files, totalFiles }) {
      if (performance.now() - started < PATIENCE) return;
      const payload = {
        done: formatBytes(bytes),
        all: formatBytes(totalBytes),
        files,
        allFiles: totalFiles,
      };
      if (bar === undefined) {
        bar = new SingleBar(options, Presets.legacy);
        bar.start(totalBytes, bytes, payload);
      }
      bar.update(bytes, payload);
    },
    stop() {
      bar?.stop();
    },
  };
}
