// The floors of scripts/spec/floors.json: which room of a folder may name which.

import { existsSync, readFileSync } from "node:fs";
import path from "node:path";

const projectRoot = path.resolve(import.meta.dirname, "../..");

/**
 * Rooms in the order of their floors, for one folder of the project.
 * @typedef {object} Floors
 * @property {Record<string, string>[]} floors from the ground up; what each room is for, by its name
 */

/** @returns {Record<string, Floors>} by folder */
export function readFloors(root = projectRoot) {
  const { comment: _, ...folders } = JSON.parse(
    readFileSync(path.join(root, "scripts/spec/floors.json"), "utf8"),
  );
  return folders;
}

/** A room as a link: to its folder, or to the file that it is. */
function linkTo(/** @type {string} */ root, /** @type {string} */ room) {
  // What is made is not there in a fresh checkout.
  if (path.basename(room) === "generated") return `\`${room}\``;
  const found = ["", ".ts", ".c", ".mjs"].find((end) => existsSync(path.join(root, room + end)));
  if (found === undefined) throw new Error(`floors.json: there is no ${room}`);
  return `[${room}${found}](../${room}${found})`;
}

/** The floors as docs/ARCHITECTURE.md shows them: the highest first, as in a drawing of a house. */
export function floorTables(root = projectRoot) {
  return Object.entries(readFloors(root))
    .map(([folder, { floors }]) => {
      const rows = floors.flatMap((rooms, floor) =>
        Object.entries(rooms).map(
          ([room, about]) => `| ${floor} | ${linkTo(root, `${folder}/${room}`)} | ${about} |`,
        ),
      );
      return ["| floor | room | what it is for |", "|---|---|---|", ...rows.reverse()].join("\n");
    })
    .join("\n\n");
}
