// What takes long says so: on a terminal one line that moves and counts, elsewhere plain lines.

/** How often the line moves, and how often a plain one is printed (ms). */
const MOVE = 100;
const TELL = 15_000;

/** @typedef {{label: string, count: () => string, started: number, told: number}} Step */

/** Steps that are under way. @type {Set<Step>} */
const steps = new Set();
/** @type {NodeJS.Timeout | undefined} */
let timer;

const out = process.stdout;
const seconds = (/** @type {number} */ since) => ((performance.now() - since) / 1000).toFixed(1);

function describe(/** @type {Step} */ { label, count, started }) {
  const counted = count();
  return `${label}${counted ? ` ${counted}` : ""} (${Math.floor((performance.now() - started) / 1000)} s)`;
}

function clear() {
  if (out.isTTY) out.write("\r\x1b[K");
}

function draw() {
  const text = [...steps].map(describe).join(", ");
  clear();
  out.write(text.slice(0, (out.columns || 80) - 1));
}

function tell() {
  for (const step of steps) {
    if (performance.now() - step.told < TELL) continue;
    step.told = performance.now();
    out.write(`${describe(step)}\n`);
  }
}

function begin(/** @type {Step} */ step) {
  steps.add(step);
  if (!out.isTTY) out.write(`${step.label} ...\n`);
  timer ??= setInterval(out.isTTY ? draw : tell, MOVE);
}

function end(/** @type {Step} */ step, /** @type {string} */ text) {
  steps.delete(step);
  clear();
  out.write(`${text}\n`);
  if (steps.size > 0) return;
  clearInterval(timer);
  timer = undefined;
}

/** Prints a line between those that move. */
export function say(/** @type {string} */ text) {
  clear();
  out.write(`${text}\n`);
}

/**
 * Does something that may take long.
 *
 * @template T
 * @param {string} label what is done
 * @param {() => Promise<T>} work
 * @param {() => string} count how far it is, such as `12/40 files`
 * @returns {Promise<T>}
 */
export async function during(label, work, count = () => "") {
  const started = performance.now();
  const step = { label, count, started, told: started };
  begin(step);
  let outcome = "failed after";
  try {
    const result = await work();
    outcome = "took";
    return result;
  } finally {
    end(step, `${label} ${outcome} ${seconds(started)} s`);
  }
}
