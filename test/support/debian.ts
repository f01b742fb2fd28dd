/**
 * Files of Debian packages of any release, unpacked once below build/, by apt and dpkg-deb as they are.
 * Only packages that are not installed here come from the network, once too.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { root } from "./process.ts";

const place = path.join(root, "build/debian");
const KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg";

/** The mirror that this machine's own apt takes Debian from; undefined where it takes it from none. */
export function debianMirror(): string | undefined {
  const format = ["--format", "$(SITE)", "Created-By: Packages", "Origin: Debian"];
  const { stdout } = spawnSync("apt-get", ["indextargets", ...format], { encoding: "utf8" });
  return stdout?.split("\n").find((line) => line !== "");
}

/**
 * A folder with the files of some packages, as they would be installed.
 *
 * @param machine as Debian calls it
 */
export function debianFiles(
  release: string,
  packages: readonly string[],
  machine = "amd64",
): string {
  const folder = path.join(place, `${release}-${machine}`, [...packages].sort().join("+"));
  if (existsSync(folder)) return folder;
  const work = path.join(place, `.${release}-${process.pid}`);
  rmSync(work, { recursive: true, force: true });
  const archives = download(work, { release, packages, machine });
  const files = path.join(work, "files");
  for (const archive of archives) execFileSync("dpkg-deb", ["-x", archive, files]);
  mkdirSync(path.dirname(folder), { recursive: true });
  rmSync(folder, { recursive: true, force: true });
  renameSync(files, folder);
  rmSync(work, { recursive: true, force: true });
  return folder;
}

interface Wanted {
  release: string;
  packages: readonly string[];
  machine: string;
}

/** apt with lists, cache and status of its own: nothing of this machine changes. */
function download(work: string, { release, packages, machine }: Wanted): string[] {
  for (const dir of ["state/lists/partial", "cache/archives/partial"])
    mkdirSync(path.join(work, dir), { recursive: true });
  const sources = path.join(work, "sources.list");
  writeFileSync(sources, `deb [signed-by=${KEYS}] ${debianMirror()} ${release} main\n`);
  const options = [
    `Dir::Etc::SourceList=${sources}`,
    "Dir::Etc::SourceParts=/dev/null",
    `Dir::State=${work}/state`,
    "Dir::State::status=/dev/null",
    `Dir::Cache=${work}/cache`,
    `APT::Architecture=${machine}`,
    `APT::Architectures=${machine}`,
    "Acquire::Languages=none",
    "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false",
    "APT::Sandbox::User=root",
  ].flatMap((option) => ["-o", option]);
  const apt = (...args: string[]) =>
    execFileSync("apt-get", ["-qq", ...options, ...args], { cwd: work, stdio: "pipe" });
  apt("update");
  apt("download", ...packages);
  return readdirSync(work)
    .filter((name) => name.endsWith(".deb"))
    .map((name) => path.join(work, name));
}
