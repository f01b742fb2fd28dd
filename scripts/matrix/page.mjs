// What was found, as the tables of docs/compatibility.md.

import { users } from "./cells.mjs";

/** @import {Cell, Place, Way} from "./cells.mjs" */

/**
 * What is kept of the runs; `rows` are the titles of rows by their ids.
 * @typedef {{
 *   rows: Record<string, string>,
 *   roots: Record<string, Place>,
 *   kernels: Record<string, Place>,
 *   apparmor?: string,
 *   made: {first: string, last: string, machine: string, kernel: string, qemu?: string, version: string},
 * }} Found
 */

const names = { 0: "root", 1000: "a user" };

/** Few digits: it is one start, on a machine that may be busy. */
function time(/** @type {number} */ milliseconds) {
  if (milliseconds >= 1000) return `${(milliseconds / 1000).toFixed(1)} s`;
  return `${milliseconds.toFixed(milliseconds < 10 ? 1 : 0)} ms`;
}

function cellText(/** @type {Cell | undefined} */ cell) {
  if (cell === undefined) return "–";
  if (cell.problem !== undefined) {
    return cell.problem.startsWith("E_") ? `**\`${cell.problem}\`**` : `**${cell.problem}**`;
  }
  return [cell.strategy, time(cell.milliseconds ?? 0)].filter(Boolean).join(" ");
}

/** @param {Record<string, string>} rows @param {Record<string, Place>} places */
function table(rows, places) {
  const columns = Object.values(places);
  const head = ["", ...columns.map(({ title }) => title)];
  const lines = Object.entries(rows).map(([id, title]) => {
    const cells = columns.map(({ cells }) => users.map((uid) => cellText(cells[id]?.[uid])));
    return [title, ...cells.map((texts) => texts.join("<br>"))];
  });
  return [head, head.map(() => "---"), ...lines]
    .map((line) => `| ${line.join(" | ")} |`)
    .join("\n");
}

function waysText(/** @type {Way[] | undefined} */ ways) {
  const working = (ways ?? []).filter(({ works }) => works).map(({ strategy }) => strategy);
  const others = (ways ?? []).filter(({ works, cause }) => !works && cause !== "ADMIN");
  const refused = others.map(({ strategy, cause, reason }) => `${strategy}: ${cause ?? reason}`);
  const text = working.join(", ") || "none";
  return refused.length === 0 ? text : `${text} (${refused.join("; ")})`;
}

/** @param {Place[]} places */
function waysTable(places) {
  const head = ["", "root", "a user"];
  const lines = places.map(({ title, ways }) => [
    title,
    ...users.map((uid) => waysText(ways[uid])),
  ]);
  return [head, head.map(() => "---"), ...lines]
    .map((line) => `| ${line.join(" | ")} |`)
    .join("\n");
}

/** The first line of a message, without what changes from start to start. */
function firstLine(/** @type {string} */ message) {
  const [line = ""] = message.split("\n");
  const stable = line.replaceAll(/\/\d+\//g, "/N/").replace(/^fuselage: \[E_\w+\] /, "");
  return stable.length > 200 ? `${stable.slice(0, 200)}…` : stable;
}

/** Each failure once, with the places and users where it was seen. @param {Found} found */
function failures({ rows, roots, kernels }) {
  /** @type {Map<string, {id: string, problem: string, message: string, places: Set<string>, who: Set<string>}>} */
  const seen = new Map();
  const places = [...Object.values(roots), ...Object.values(kernels)];
  for (const { title, cells } of places) {
    const keys = Object.keys(rows).flatMap((id) => users.map((uid) => ({ id, uid })));
    for (const { id, uid } of keys) {
      const { problem, message = "" } = cells[id]?.[uid] ?? {};
      if (problem === undefined) continue;
      const key = `${id} ${problem}`;
      const known = seen.get(key) ?? { id, problem, message, places: new Set(), who: new Set() };
      known.places.add(title);
      known.who.add(names[/** @type {0 | 1000} */ (uid)]);
      seen.set(key, known);
    }
  }
  const ended = places.flatMap(({ title, failure }) => (failure ? [`* ${title}: ${failure}`] : []));
  const lines = [...seen.values()].map(
    ({ id, problem, message, places, who }) =>
      `* **${rows[id]}**, ${[...who].join(" and ")}: \`${problem}\` (${[...places].join("; ")}): ${firstLine(message)}`,
  );
  return [...ended, ...lines].join("\n") || "Nothing.";
}

/** The generated part of the page. @param {Found} found @returns {string[]} */
export function tables(found) {
  const { rows, roots, kernels, made, apparmor } = found;
  const when = made.first === made.last ? made.first : `${made.first} to ${made.last}`;
  const places = [...Object.values(roots), ...Object.values(kernels)];
  return [
    `Made on ${when} with version ${made.version}, on ${made.machine}, Linux ${made.kernel}; kernels of Debian by qemu ${made.qemu ?? "(none)"} without acceleration.`,
    table(rows, roots),
    table(rows, kernels),
    waysTable(places),
    failures(found),
    apparmor ?? "Not tried.",
  ];
}
