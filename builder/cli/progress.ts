/** What is seen of work that turns out to be long: a progress bar on a terminal, else a line. */
import { writeSync } from "node:fs";
import type { SingleBar } from "cli-progress";
import { optionValue } from "../errors.ts";
import { environment } from "../generated/spec.ts";
import type { FetchProgress } from "../oci/registry/progress.ts";
import type { Progress } from "../squashfs/squashfs-options.ts";
import { formatBytes } from "./print.ts";

/** Shorter work shows no bar; it would only flicker. Milliseconds. */
const PATIENCE = 500;

/** The terminal's own settings (line wrap, cursor) stay as they are: a signal may end us any time. */
const options = {
  format: "{bar} {percentage}%  {done} of {all}, {files} of {allFiles} {noun}",
  stream: process.stderr,
  barsize: 32,
  clearOnComplete: true,
  linewrap: true,
  hideCursor: false,
  gracefulExit: false,
};

export interface ProgressBar {
  update: (progress: Progress) => void;
  /** Of an image that is fetched, before anything is packed. */
  fetch: (progress: FetchProgress) => void;
  /** Clears the line. */
  stop: () => void;
}

/** A bar is for people: not in a pipe or a log, nor in CI. */
function wanted(): boolean {
  const { [environment.CI]: ci, TERM } = process.env;
  return process.stderr.isTTY === true && !ci && TERM !== "dumb";
}

/** Work that has shown nothing for as long as this is named where there is no bar. Milliseconds. */
const SILENCE = 2000;

export interface Notices {
  /** Says what begins, which ends what began before. */
  step: (what: string) => void;
  /** Nothing goes on any more. */
  stop: () => void;
}

/**
 * Names what takes long, one line each, for who reads a log: a first build fetches, strips and compresses for
 * many seconds.
 *
 * @param say prints a line
 */
export function notices(say: (line: string) => void): Notices {
  let timer: NodeJS.Timeout | undefined;
  const stop = () => clearTimeout(timer);
  return {
    step(what) {
      stop();
      if (!wanted()) timer = setTimeout(() => say(`${what} ...`), SILENCE).unref();
    },
    stop,
  };
}

/** Starts to watch; nothing is shown before `PATIENCE` is over. */
export function progressBar(): ProgressBar {
  if (!wanted()) return { update: () => {}, fetch: () => {}, stop: () => {} };
  const started = performance.now();
  let shown: { bar: SingleBar; noun: string } | undefined;
  let library: typeof import("cli-progress") | undefined;
  // Long before there is something to show; and a build into a pipe does without.
  import("cli-progress").then((loaded) => {
    library = loaded;
  });
  const update = ({ bytes, totalBytes, files, totalFiles }: Progress, noun = "files") => {
    if (library === undefined || performance.now() - started < PATIENCE) return;
    const payload = {
      done: formatBytes(bytes),
      all: formatBytes(totalBytes),
      files,
      allFiles: totalFiles,
      noun,
    };
    if (shown?.noun !== noun) {
      shown?.bar.stop();
      shown = { bar: new library.SingleBar(options, library.Presets.legacy), noun };
      shown.bar.start(totalBytes, bytes, payload);
    }
    shown.bar.setTotal(totalBytes);
    shown.bar.update(bytes, payload);
  };
  return {
    update: (progress) => update(progress),
    fetch({ bytes, totalBytes, blobs, totalBlobs }) {
      update({ bytes, totalBytes, files: blobs, totalFiles: totalBlobs }, "blobs");
    },
    stop() {
      shown?.bar.stop();
    },
  };
}

export interface ProgressLines extends ProgressBar {
  step: (what: string) => void;
  note: (line: string) => void;
}

/**
 * Tells a program what goes on: lines of JSON on a descriptor that it left open. A reader that has gone ends
 * the lines, not the work.
 *
 * @throws E_OPTION_VALUE where the descriptor is not open to be written
 */
export function progressLines(text: string): ProgressLines {
  const fd = /^[0-9]{1,6}$/.test(text) ? Number(text) : -1;
  let isHeard = true;
  const say = (type: string, rest: object) => {
    if (!isHeard) return;
    try {
      writeSync(fd, `${JSON.stringify({ type, ...rest })}\n`);
    } catch {
      isHeard = false;
    }
  };
  try {
    if (fd < 1) throw new Error();
    writeSync(fd, "");
  } catch {
    throw optionValue("progress-fd", "the number of a descriptor that is open", `"${text}"`);
  }
  return {
    update: ({ bytes, totalBytes, files, totalFiles }) =>
      say("progress", { bytes, totalBytes, files, totalFiles }),
    fetch: ({ bytes, totalBytes, blobs, totalBlobs }) =>
      say("fetch", { bytes, totalBytes, blobs, totalBlobs }),
    step: (what) => say("step", { what }),
    note: (line) => say("note", { line }),
    stop: () => {},
  };
}
