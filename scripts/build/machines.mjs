// The machines that are built for: scripts/spec/machines.json.

import { readFileSync } from "node:fs";
import path from "node:path";

/** @import {Machine} from "../generate/types.mts" */

const file = path.resolve(import.meta.dirname, "../spec/machines.json");

/** @type {Machine[]} */
const machines = JSON.parse(readFileSync(file, "utf8")).built;

/** Names of the machines. */
export const architectures = machines.map(({ name }) => name);

/** The machine that this is; undefined when nothing is built for it. */
const hostMachine = machines.find(({ node }) => node === process.arch);

/** This machine, as `uname -m` calls it. */
export function machineName() {
  if (hostMachine) return hostMachine.name;
  throw new Error(`nothing is built for ${process.arch}, nor is there a compiler from npm`);
}

/** The machines that a command line names. @returns {string[]} */
export function machinesNamed(/** @type {string[]} */ names) {
  return architectures.filter((name) => names.map((one) => machineOf(one).name).includes(name));
}

/** @returns {Machine} */
export function machineOf(/** @type {string} */ name) {
  const found = machines.find((machine) => machine.name === name);
  if (!found) throw new Error(`machines.json: there is no ${name}`);
  return found;
}

export const isHost = (/** @type {string} */ name) => name === hostMachine?.name;
