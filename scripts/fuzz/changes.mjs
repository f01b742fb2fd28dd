// Changed images for the squashfs reader and the extraction, built with ASan and UBSan.
//
// Each process takes the next seed and one of the images, changes it some hundred times and walks
// it; now and then it is extracted. Changes are of any bytes, or of the fields of the structures,
// in images whose tables are stored. A seed that crashes or hangs is printed with its image, which
// is kept in build/fuzz.

import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { buildSanitized } from "../build/test-programs.mjs";
import { root } from "../build/toolchain.mjs";

const ROUNDS = 500;

/** Images by mksquashfs. @returns their paths */
function makeImages(/** @type {string} */ dir) {
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(path.join(dir, "tree/many"), { recursive: true });
  for (let i = 0; i < 400; i++) writeFileSync(path.join(dir, `tree/many/f${i}`), `file ${i}\n`);
  writeFileSync(path.join(dir, "tree/text"), "line of text\n".repeat(30_000));
  execFileSync("sh", ["-ec", "ln text hard; ln -s hard link; truncate -s 2M hole; mkfifo fifo"], {
    cwd: path.join(dir, "tree"),
  });
  const kinds = {
    "stored.fields": ["-noI", "-noD", "-noF", "-noX"],
    "zstd-tables-stored.fields": ["-comp", "zstd", "-noI", "-noX", "-b", "4K"],
    "xz-tables-stored.fields": ["-comp", "xz", "-noI", "-noX"],
    stored: ["-noI", "-noD", "-noF", "-noX"],
    "zstd-tables-stored": ["-comp", "zstd", "-noI", "-b", "4K"],
    zstd: ["-comp", "zstd"],
    gzip: ["-comp", "gzip"],
    xz: ["-comp", "xz", "-Xbcj", "x86"],
    lz4: ["-comp", "lz4"],
  };
  return Object.entries(kinds).map(([name, options]) => {
    const image = path.join(dir, `${name}.sfs`);
    execFileSync("mksquashfs", [
      path.join(dir, "tree"),
      image,
      "-quiet",
      "-no-progress",
      ...options,
    ]);
    return image;
  });
}

/**
 * @param {{minutes: number, jobs: number, seed: number}} asked
 * @returns {Promise<boolean>} whether nothing was found
 */
export async function fuzzReader({ minutes, jobs, seed }) {
  const dir = path.join(root, "build/fuzz/reader");
  const images = makeImages(dir);
  const program = (await buildSanitized()).fuzzReader;
  const deadline = Date.now() + minutes * 60_000;
  let rounds = 0;
  let failures = 0;
  const worker = async () => {
    while (Date.now() < deadline) {
      const mine = seed++;
      const image = images[mine % images.length];
      const mode = image.endsWith(".fields.sfs") ? "fields" : "bytes";
      const args = [image, `${mine}`, `${ROUNDS}`, mode];
      const child = spawn(program, args, { stdio: "pipe", env: { ...process.env, TMPDIR: dir } });
      let output = "";
      child.stdout.on("data", (chunk) => {
        output += chunk;
      });
      child.stderr.on("data", (chunk) => {
        output += chunk;
      });
      const status = await new Promise((resolve) => {
        child.on("close", (code, signal) => resolve(signal ?? code));
      });
      rounds += ROUNDS;
      if (status === 0) continue;
      failures++;
      const command = `${path.relative(root, program)} ${path.relative(root, image)} ${mine} ${ROUNDS} ${mode}`;
      console.error(`fuzz: ${status}: ${command}\n${output}`);
    }
  };
  await Promise.all(Array.from({ length: jobs }, worker));
  console.log(`fuzz: ${rounds} changed images in ${minutes} minutes, ${failures} failures`);
  return failures === 0;
}
