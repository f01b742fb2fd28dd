// What the matrix starts: one app of each sort, packed by this checkout's command.

import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { compileStatic, machine } from "../bench/pairs.mjs";
import { root, run } from "../build/toolchain.mjs";

/**
 * A row of the matrix. `steps` are commands, by files that lie in the folder BUNDLES of a place; `timed`
 * is the step whose time is shown, the last one when it is missing; `says` what that step prints.
 *
 * @typedef {{
 *   id: string,
 *   title: string,
 *   files: string[],
 *   steps: (who: {uid: number, home: string}) => string[][],
 *   timed?: number,
 *   says: RegExp,
 *   env?: Record<string, string>,
 * }} Row
 */

/** Where bundles lie in every place, and where each user has a home there. */
export const BUNDLES = "/matrix";
export const homeOf = (/** @type {number} */ uid) => `${BUNDLES}/home-${uid}`;

const work = path.join(root, "build/matrix/apps");
const made = path.join(root, "build/matrix/bundles");

const server = `
import http from "node:http";
const server = http.createServer((request, response) => response.end("answer to " + request.url));
server.listen(0, "127.0.0.1", async () => {
  const answer = await fetch(\`http://127.0.0.1:\${server.address().port}/one\`);
  console.log(await answer.text());
  server.close();
});
`;

const image = `
import sharp from "sharp";
const create = { width: 64, height: 32, channels: 3, background: "red" };
const png = await sharp({ create }).png().toBuffer();
const { format, width, height } = await sharp(png).rotate(90).metadata();
console.log(format, width, height);
`;

const script = `#!/bin/sh
here=$(cd "$(dirname "$0")/.." && pwd)
read -r line < "$here/share/greeting"
echo "$line from a shell"
`;

/** @param {string} name @param {Record<string, string>} files */
function folder(name, files) {
  const dir = path.join(work, name);
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(dir, file)), { recursive: true });
    writeFileSync(path.join(dir, file), text, { mode: text.startsWith("#!") ? 0o755 : 0o644 });
  }
  return dir;
}

const output = (/** @type {string} */ name) => path.join(made, name);

/** @param {string} command @param {string[]} args */
const bundle = (command, ...args) =>
  run(process.execPath, [path.join(root, "dist/cli/main.js"), command, ...args]);

async function helloFolder() {
  const dir = folder("hello", { "share/note": "a note\n" });
  mkdirSync(path.join(dir, "bin"), { recursive: true });
  await compileStatic("scripts/matrix/hello.c", path.join(dir, "bin/hello"));
  return dir;
}

async function sharpFolder() {
  const dependencies = { sharp: "0.34.4" };
  const manifest = JSON.stringify({ type: "module", main: "index.js", dependencies });
  const dir = folder("image", { "package.json": manifest, "index.js": image });
  if (!existsSync(path.join(dir, "node_modules/sharp"))) {
    const flags = ["--ignore-scripts", "--no-package-lock", "--no-audit", "--no-engine-strict"];
    await run("npm", ["install", ...flags], { cwd: dir });
  }
  return dir;
}

/** By the machine's own compiler: its libraries are what --with-libs has to find. */
async function cppProgram() {
  mkdirSync(path.join(work, "cpp"), { recursive: true });
  const library = path.join(work, "cpp/libshout.so.2");
  const program = path.join(work, "cpp/shouter");
  const source = (/** @type {string} */ name) => path.join(root, "scripts/matrix", name);
  await run("g++", [
    "-shared",
    "-fPIC",
    "-Wl,-soname,libshout.so.2",
    "-o",
    library,
    source("shout.cc"),
  ]);
  const search = `-Wl,-rpath,${path.dirname(library)}`;
  await run("g++", ["-o", program, source("shouter.cc"), library, search]);
  return program;
}

/** Whether this checkout's `bundle build` has an option. */
function hasOption(/** @type {string} */ name) {
  const { commands } = JSON.parse(
    readFileSync(path.join(root, "scripts/spec/options.json"), "utf8"),
  );
  const { options } = commands.find((/** @type {{name: string}} */ one) => one.name === "build");
  return options.some((/** @type {{name: string}} */ one) => one.name === name);
}

const at = (/** @type {string} */ name) => `${BUNDLES}/${name}`;
const simple = (/** @type {string} */ name) => () => [[at(name)]];

/** The commands that mount for everyone, start what is there, and unmount. */
function mountSteps(/** @type {{uid: number, home: string}} */ { uid, home }) {
  const dir = `${home}/mnt`;
  const unmount = uid === 0 ? ["umount", dir] : ["/usr/bin/fusermount3", "-u", dir];
  return [[at("hello.run"), "--bundle-mount", dir], [`${dir}/bin/hello`], unmount];
}

const folderOf = "${FUSELAGE_BUNDLE_DIR}";

/** Makes all bundles. @returns {Promise<{rows: Row[], dir: string}>} */
export async function makeBundles() {
  mkdirSync(work, { recursive: true });
  rmSync(made, { recursive: true, force: true });
  mkdirSync(made, { recursive: true });
  const hello = await helloFolder();
  const shell = folder("shell", { "bin/greet": script, "share/greeting": "hello\n" });
  const [build, pack] = ["build", "pack"];
  await bundle(build, hello, "-o", output("hello.run"));
  await bundle(build, hello, "-o", output("Hello.AppImage"));
  await bundle(pack, hello, "-o", output("hello.zip"));
  const writes = ["--writable", "--arg=write", `--arg=${folderOf}/share/new`];
  await bundle(build, hello, "-o", output("writable.run"), ...writes);
  const withMap = hasOption("map");
  const map = ["--map=share=/opt/matrix/share", "--arg=read", "--arg=/opt/matrix/share/note"];
  if (withMap) await bundle(build, hello, "-o", output("map.run"), ...map);
  await bundle(build, shell, "-o", output("shell.run"));
  await bundle(build, await cppProgram(), "-o", output("cpp.run"), "--with-libs");
  const serverDir = folder("server", {
    "package.json": JSON.stringify({ type: "module", main: "main.js" }),
    "main.js": server,
  });
  await bundle(build, serverDir, "-o", output("node.run"));
  await bundle(build, await sharpFolder(), "-o", output("addon.run"));
  copyFileSync(path.join(root, "dist/runtime", machine, "fuselage"), output("fuselage"));
  chmodSync(output("fuselage"), 0o755);
  return { rows: rows(withMap), dir: made };
}

/** @returns {Row[]} */
function rows(/** @type {boolean} */ withMap) {
  const twice = { FUSELAGE_LINGER: "20" };
  const zip = [at("fuselage"), `--static=app:${at("hello.zip")}`, "--run", "app/bin/hello"];
  /** @type {(id: string, title: string, file: string, says: RegExp) => Row} */
  const app = (id, title, file, says) => ({ id, title, files: [file], steps: simple(file), says });
  const map = app("map", "a folder at its original path (`--map`)", "map.run", /^a note$/m);
  return [
    app("static", "static program", "hello.run", /^hello$/m),
    app("node", "Node server, one request", "node.run", /^answer to \/one$/m),
    app("addon", "Node with a native addon (sharp)", "addon.run", /^png 64 32$/m),
    app("cpp", "C++ with its libraries", "cpp.run", /^hello!\ncaught: nothing to shout$/m),
    app("shell", "shell script", "shell.run", /^hello from a shell$/m),
    app("appimage", "AppImage", "Hello.AppImage", /^hello$/m),
    { ...app("zip", "zip file, by `fuselage`", "hello.zip", /^hello$/m), steps: () => [zip] },
    app("writable", "writable copy (`--writable`)", "writable.run", /^written$/m),
    {
      ...app("warm", "second start, mount shared", "hello.run", /^hello$/m),
      steps: () => [[at("hello.run")], [at("hello.run")]],
      env: twice,
    },
    {
      ...app("mount", "mounted for all programs", "hello.run", /^hello$/m),
      steps: mountSteps,
      timed: 1,
    },
    ...(withMap ? [map] : []),
  ];
}
