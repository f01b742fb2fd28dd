// Packages and root filesystems of any release of Debian, kept below build/debian.
//
// apt has lists, cache and status of its own there, so nothing of this machine changes. The mirror is
// the one that this machine's apt takes Debian from.

import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { root } from "./build/zig.mjs";

const place = path.join(root, "build/debian");
const KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg";

/** @param {string} command @param {string[]} args @param {string} [cwd] */
const output = (command, args, cwd = root) =>
  execFileSync(command, args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

/** Where this machine's apt takes Debian from. @returns {string | undefined} undefined where it takes it from nowhere */
export function debianMirror() {
  try {
    const format = ["--format", "$(SITE)", "Identifier: Packages", "Label: Debian"];
    const lines = output("apt-get", ["indextargets", ...format]);
    return lines.split("\n").find((line) => line !== "");
  } catch {
    return undefined;
  }
}

/** Options for each release, by its name and machine, when its lists are there. @type {Map<string, string[]>} */
const updated = new Map();

/**
 * Options with which apt sees one release and nothing of this machine. Lists are of this process
 * alone: apt lets one at a time use them.
 *
 * @param {string} release
 * @param {string} machine
 */
function aptOptions(release, machine) {
  const known = updated.get(`${release}-${machine}`);
  if (known !== undefined) return known;
  mkdirSync(place, { recursive: true });
  const dir = mkdtempSync(path.join(place, ".apt-"));
  process.on("exit", () => rmSync(dir, { recursive: true, force: true }));
  for (const part of ["state/lists/partial", "cache/archives/partial"]) {
    mkdirSync(path.join(dir, part), { recursive: true });
  }
  const sources = path.join(dir, "sources.list");
  writeFileSync(sources, `deb [signed-by=${KEYS}] ${debianMirror()} ${release} main\n`);
  const options = [
    `Dir::Etc::SourceList=${sources}`,
    "Dir::Etc::SourceParts=/dev/null",
    `Dir::State=${dir}/state`,
    "Dir::State::status=/dev/null",
    `Dir::Cache=${dir}/cache`,
    `APT::Architecture=${machine}`,
    `APT::Architectures=${machine}`,
    "Acquire::Languages=none",
    "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false",
    "APT::Sandbox::User=root",
  ].flatMap((option) => ["-o", option]);
  output("apt-get", ["-qq", ...options, "update"]);
  updated.set(`${release}-${machine}`, options);
  return options;
}

/** Names of packages that a package depends on, and that `pattern` finds. @returns {string[]} */
export function dependencies(
  /** @type {string} */ release,
  /** @type {string} */ name,
  /** @type {RegExp} */ pattern,
) {
  const options = aptOptions(release, "amd64");
  const shown = output("apt-cache", [...options, "show", "--no-all-versions", name]);
  const [, depends = ""] = /^Depends: (.*)$/m.exec(shown) ?? [];
  return depends
    .split(/[,|] ?/)
    .map((one) => one.trim().split(" ")[0])
    .filter((one) => pattern.test(one));
}

/**
 * A folder with the files of some packages, as they would be installed; none of their scripts ran. Only
 * what is not there yet comes from the network.
 *
 * @param {string} release
 * @param {readonly string[]} packages
 * @param {string} machine as Debian calls it
 */
export function debianFiles(release, packages, machine = "amd64") {
  const folder = path.join(place, `${release}-${machine}`, packages.toSorted().join("+"));
  if (existsSync(folder)) return folder;
  mkdirSync(path.dirname(folder), { recursive: true });
  const work = mkdtempSync(path.join(place, ".files-"));
  const files = path.join(work, "files");
  output("apt-get", ["-qq", ...aptOptions(release, machine), "download", ...packages], work);
  for (const name of readdirSync(work).filter((one) => one.endsWith(".deb"))) {
    output("dpkg-deb", ["-x", name, files], work);
  }
  moveIn(files, folder);
  rmSync(work, { recursive: true });
  return folder;
}

/** Another process may have been faster, with the same. */
function moveIn(/** @type {string} */ from, /** @type {string} */ to) {
  try {
    renameSync(from, to);
  } catch (error) {
    if (!existsSync(to)) throw error;
  }
}

/** A whole small system of a release, with fuse3; its folder. */
export function debianRoot(/** @type {string} */ release) {
  const folder = path.join(place, `${release}-amd64`, "root");
  if (existsSync(folder)) return folder;
  const work = `${folder}.${process.pid}`;
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  try {
    const options = ["--variant=minbase", "--include=fuse3", `--keyring=${KEYS}`];
    output("debootstrap", [...options, release, work, debianMirror() ?? ""]);
  } catch (error) {
    const log = path.join(work, "debootstrap/debootstrap.log");
    const why = existsSync(log) ? readFileSync(log, "utf8").trim().split("\n").slice(-5) : [];
    throw new Error(`debootstrap ${release}: ${/** @type {Error} */ (error).message} ${why}`);
  }
  renameSync(work, folder);
  return folder;
}

/** The version of what stands in a root's /etc/debian_version. */
export function debianVersion(/** @type {string} */ dir) {
  return readFileSync(path.join(dir, "etc/debian_version"), "utf8").trim();
}
