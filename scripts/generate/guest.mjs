// What the two sides of a virtual machine say to each other (guest.json): runtime/generated/guest.h, its
// part of builder/generated/spec.ts, and the tables of docs/vm-protocol.md.

import { constantName, cString, define, header, xMacro } from "./c-text.mjs";

/** @import {Guest, Message, Spec} from "./types.mts" */

/** Names of a list. */
const names = (/** @type {{name: string}[]} */ list) => list.map(({ name }) => name);

/** "{transports}" as the values that there are. */
function takes(/** @type {Guest} */ guest, /** @type {string} */ text) {
  return text.replace(/^\{(transports|ends)\}$/, (_, key) =>
    names(guest[/** @type {"transports" | "ends"} */ (key)]).join("|"),
  );
}

/** Constants and an enumeration for each list. */
export function cGuest(/** @type {Spec} */ { guest }) {
  /** @param {string} prefix @param {Message[]} messages */
  const letters = (prefix, messages) =>
    messages
      .map(({ name, letter, takes: what }) =>
        define(`${prefix}_${constantName(name)}`, `'${letter}' /* ${what} */`),
      )
      .join("\n");
  const list = (/** @type {{name: string}[]} */ rows) =>
    rows.map(({ name }) => [constantName(name), cString(name)]);
  return header("guest", [
    [
      define("GUEST_VERSION", guest.version),
      define("GUEST_RUN_FILE", cString(`/${guest.runFile}`)),
      define("GUEST_MODULES_FOLDER", cString(`/${guest.modulesFolder}`)),
      define("GUEST_MODULES_LIST", cString(`/${guest.modulesList}`)),
    ].join("\n"),
    "/* Streams: X(NAME, port of virtio-serial) */\n" +
      xMacro(
        "GUEST_STREAMS",
        guest.streams.map(({ name, port }) => [constantName(name), cString(port)]),
      ),
    guest.disks
      .map(({ name, serial }) => define(`GUEST_DISK_${constantName(name)}`, cString(serial)))
      .join("\n"),
    `/* Lines to the host. */\n${letters("GUEST_TO_HOST", guest.toHost)}`,
    `/* Lines from it. */\n${letters("GUEST_FROM_HOST", guest.toGuest)}`,
    `/* X(NAME, word) */\n${xMacro("GUEST_TRANSPORTS", list(guest.transports))}`,
    xMacro("GUEST_ENDS", list(guest.ends)),
    `/* Records of the run file: X(NAME, word) */\n${xMacro("GUEST_RECORDS", list(guest.records))}`,
  ]);
}

/** What TypeScript gets: lists by their names. */
export function guestValue(/** @type {Guest} */ guest) {
  const letters = (/** @type {Message[]} */ list) =>
    Object.fromEntries(list.map(({ name, letter }) => [name, letter]));
  const { version, runFile, modulesFolder, modulesList } = guest;
  return {
    ...{ version, runFile, modulesFolder, modulesList },
    streams: guest.streams.map(({ name, port }) => ({ name, port })),
    transports: names(guest.transports),
    ends: names(guest.ends),
    disks: Object.fromEntries(guest.disks.map(({ name, serial }) => [name, serial])),
    toHost: letters(guest.toHost),
    toGuest: letters(guest.toGuest),
    records: names(guest.records),
  };
}

/** @param {string[]} head @param {string[][]} rows */
const table = (head, rows) =>
  [head, head.map(() => "---"), ...rows]
    .map((row) => `| ${row.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`)
    .join("\n");

const code = (/** @type {string | number} */ text) => (text === "" ? "" : `\`${text}\``);

/** @returns {string[]} in the order of the page */
export function guestTables(/** @type {Spec} */ { guest }) {
  const messages = (/** @type {Message[]} */ list) =>
    table(
      ["line", "meaning"],
      list.map(({ letter, takes: what, summary }) => [code(`${letter} ${what}`.trim()), summary]),
    );
  return [
    table(
      ["disk", "serial number", "what it is"],
      guest.disks.map(({ name, serial, summary }) => [code(name), code(serial), summary]),
    ),
    table(
      ["record", "value", "several", "meaning"],
      guest.records.map(({ name, takes: what, repeated, summary }) => [
        code(name),
        code(takes(guest, what)),
        repeated ? "yes" : "no",
        summary,
      ]),
    ),
    table(
      ["record", "word", "meaning"],
      [
        ...guest.transports.map(({ name, summary }) => [code("transport"), code(name), summary]),
        ...guest.ends.map(({ name, summary }) => [code("end"), code(name), summary]),
      ],
    ),
    table(
      ["stream", "port", "what goes through it"],
      guest.streams.map(({ name, port, summary }) => [code(name), code(port), summary]),
    ),
    messages(guest.toHost),
    messages(guest.toGuest),
  ];
}
