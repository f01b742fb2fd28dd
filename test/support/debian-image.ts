/** A Debian with servers in it, by debootstrap: made once in a checkout, as the tests of a root directory need it. */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import path from "node:path";
import { debianMirror } from "../../scripts/debian.mjs";
import { bundleOf, printed } from "./bundle-of.ts";
import { root, run } from "./process.ts";
import { temporaryDirectory } from "./temporary.ts";

const SUITE = "bookworm";
const PACKAGES = "nginx-light,redis-server,python3-minimal,postgresql,curl";

/** Where it is kept; another list of packages makes another one. */
const cache = path.join(root, "build/test-debian");
const image = path.join(cache, `${SUITE}-${PACKAGES.replaceAll(",", "+")}.sfs`);

const MINUTES = 60_000;
export const DEBIAN_TIMEOUT = 20 * MINUTES;

/** Nothing of a package is started while it is installed, and no list or archive of apt stays. */
async function makeImage(): Promise<void> {
  const dir = path.join(temporaryDirectory(), "debian");
  const mirror = debianMirror() ?? "http://deb.debian.org/debian";
  const args = ["--variant=minbase", `--include=${PACKAGES}`, SUITE, dir, mirror];
  printed(await run("debootstrap", args, { timeout: 15 * MINUTES }));
  for (const name of ["var/cache/apt/archives", "var/lib/apt/lists"]) {
    for (const entry of readdirSync(path.join(dir, name))) {
      rmSync(path.join(dir, name, entry), { recursive: true });
    }
  }
  mkdirSync(cache, { recursive: true });
  const fresh = `${image}.${process.pid}`;
  const options = ["-comp", "zstd", "-Xcompression-level", "3", "-quiet", "-no-progress"];
  printed(await run("mksquashfs", [dir, fresh, ...options], { timeout: 5 * MINUTES }));
  renameSync(fresh, image);
}

/** A bundle whose root directory it is. */
export async function debianBundle(): Promise<string> {
  if (!existsSync(image)) await makeImage();
  return bundleOf(image, { entry: undefined, root: "image" });
}
