/**
 * One app and its packages, laid out as package managers lay them out. What the app prints names what
 * it found of each package and at which version, so a package that is missing, or found at the wrong
 * place, shows.
 */
import type { Files } from "../support/case.ts";

interface Package {
  name: string;
  version: string;
  /** By name: the version that is installed for it. */
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
  peerDependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
  more?: object;
  files: Files;
}

const says = (name: string, version: string, ...required: string[]) =>
  `module.exports = [${JSON.stringify(`${name}@${version}`)}${required
    .map((one) => `, ...require(${JSON.stringify(one)})`)
    .join("")}];\n`;

const simple = (name: string, version: string, dependencies: Record<string, string> = {}) => ({
  name,
  version,
  dependencies,
  files: { "index.js": says(name, version, ...Object.keys(dependencies)) },
});

/** What the registry has. */
const published: Package[] = [
  simple("conf", "1.0.0"),
  simple("conf", "2.0.0"),
  simple("below", "1.0.0"),
  // Its `conf` is not the app's.
  simple("left", "1.0.0", { conf: "1.0.0", below: "1.0.0" }),
  // Stays files: what it reads is only known at run time, and so is what it loads.
  {
    name: "stays",
    version: "1.0.0",
    dependencies: { below: "1.0.0", conf: "1.0.0" },
    files: {
      "index.js": `const text = require("fs").readFileSync(require("path").join(__dirname, ["data", "text"].join("/")), "utf8");
module.exports = ["stays@1.0.0 " + text.trim(), ...["below", "conf"].flatMap((name) => require(name))];\n`,
      "data/text": "has its data\n",
    },
  },
  // Found by whoever depends on it and on the other.
  {
    ...simple("guest", "1.0.0"),
    peerDependencies: { host: "*" },
    files: { "index.js": says("guest", "1.0.0", "host") },
  },
  simple("host", "3.0.0"),
  simple("deep", "1.0.0"),
  // Loaded by a name that is put together.
  simple("plug-a", "1.0.0", { below: "1.0.0" }),
  {
    ...simple("@scope/esm", "1.0.0"),
    more: { type: "module", exports: "./main.js" },
    files: {
      "main.js": `import conf from "conf";\nexport default ["@scope/esm@1.0.0", ...conf];\n`,
    },
    dependencies: { conf: "2.0.0" },
  },
  simple("plug-b", "1.0.0"),
  simple("dev-tool", "1.0.0", { "dev-below": "1.0.0" }),
  simple("dev-below", "1.0.0"),
  simple("only-unused", "1.0.0"),
];

const workspaceVersion = "0.0.0";

/** What the repository has, by folder. */
const workspaces: Record<string, Package> = {
  "packages/app": {
    name: "app",
    version: workspaceVersion,
    dependencies: {
      left: "1.0.0",
      conf: "2.0.0",
      stays: "1.0.0",
      guest: "1.0.0",
      host: "3.0.0",
      "plug-a": "1.0.0",
      "@scope/esm": "1.0.0",
      shared: "workspace",
      "@acme/lib": "workspace",
    },
    devDependencies: { "dev-tool": "1.0.0" },
    optionalDependencies: { "not-installed": "1.0.0" },
    more: { main: "src/main.js" },
    files: {
      "src/main.js": `const found = {};
for (const [key, load] of Object.entries({
  left: () => require("left"),
  conf: () => require("conf"),
  stays: () => require("stays"),
  guest: () => require("guest"),
  shared: () => require("shared"),
  plug: () => require("plug-" + ["a"].join("")),
  beside: () => require("../../beside/index.js"),
})) found[key] = load();
Promise.all([import("@scope/esm"), import("@acme/lib")]).then(([one, other]) => {
  found.esm = one.default;
  found.lib = other.default;
  console.log(JSON.stringify(found));
});
`,
      // What can be bundled of it: nothing is loaded by a name that is put together.
      "src/bundled.mjs": `${["left", "conf", "stays", "guest", "shared"].map((name) => `import ${name} from "${name}";\n`).join("")}
import esm from "@scope/esm";
import lib from "@acme/lib";
console.log(JSON.stringify({ left, conf, stays, guest, shared, esm, lib }));
`,
    },
  },
  // It has an asset, a dependency that the app does not list, and another sibling.
  "packages/shared": {
    name: "shared",
    version: workspaceVersion,
    dependencies: { deep: "1.0.0", inner: "workspace" },
    more: { main: "lib/index.js" },
    files: {
      "lib/index.js": `const words = require("fs").readFileSync(require("path").join(__dirname, "../data/words.json"), "utf8");
module.exports = ["shared " + JSON.parse(words).join(), ...require("deep"), ...require("inner")];\n`,
      "data/words.json": '["its", "words"]',
    },
  },
  "packages/inner": {
    name: "inner",
    version: workspaceVersion,
    files: { "index.js": `module.exports = ["inner"];\n` },
  },
  // The app reads its source, and does not list it.
  "packages/beside": {
    name: "beside",
    version: workspaceVersion,
    dependencies: { "plug-b": "1.0.0" },
    files: {
      "index.js": `module.exports = ["beside", ...require("plug-" + ["b"].join(""))];\n`,
    },
  },
  "packages/lib": {
    name: "@acme/lib",
    version: workspaceVersion,
    dependencies: { conf: "2.0.0" },
    more: { type: "module", exports: { ".": "./src/lib.js" } },
    files: { "src/lib.js": `import conf from "conf";\nexport default ["@acme/lib", ...conf];\n` },
  },
  "packages/unused": {
    name: "unused",
    version: workspaceVersion,
    dependencies: { "only-unused": "1.0.0" },
    files: { "index.js": `module.exports = require("only-unused");\n` },
  },
};

/** What the app must print, whatever the layout. `src/bundled.mjs` has no plug and no beside. */
export const prints = {
  left: ["left@1.0.0", "conf@1.0.0", "below@1.0.0"],
  conf: ["conf@2.0.0"],
  stays: ["stays@1.0.0 has its data", "below@1.0.0", "conf@1.0.0"],
  guest: ["guest@1.0.0", "host@3.0.0"],
  shared: ["shared its,words", "deep@1.0.0", "inner"],
  plug: ["plug-a@1.0.0", "below@1.0.0"],
  beside: ["beside", "plug-b@1.0.0"],
  esm: ["@scope/esm@1.0.0", "conf@2.0.0"],
  lib: ["@acme/lib", "conf@2.0.0"],
};

/** Names that nothing of the app leads to. */
export const unneeded = ["dev-tool", "dev-below"];

/** What only a workspace needs that the app has nothing to do with. */
export const ofUnused = "only-unused";

function filesOf(folder: string, one: Package): Files {
  const { name, version, dependencies, devDependencies, peerDependencies, more, files } = one;
  const { optionalDependencies } = one;
  const json = {
    name,
    version,
    ...more,
    dependencies,
    devDependencies,
    peerDependencies,
    optionalDependencies,
  };
  return Object.fromEntries([
    [`${folder}/package.json`, JSON.stringify(json)],
    ...Object.entries(files).map(([file, content]) => [`${folder}/${file}`, content]),
  ]);
}

const key = ({ name, version }: Package) => `${name}@${version}`;
const byKey = new Map(published.map((one) => [key(one), one]));
const folderOf = (name: string) => {
  const found = Object.entries(workspaces).find(([, one]) => one.name === name);
  if (found === undefined) throw new Error(`no workspace is called ${name}`);
  return found[0];
};

const up = (path: string) => "../".repeat(path.split("/").length - 1);
/** A relative link at `place` to `target`, both below the root of the repository. */
const link = (place: string, target: string): Files => ({ [place]: { link: up(place) + target } });

const allWorkspaces = (): Files =>
  Object.assign({}, ...Object.entries(workspaces).map(([folder, one]) => filesOf(folder, one)));

const rootManifest = (more: object) => ({
  "package.json": JSON.stringify({ name: "root", private: true, ...more }),
});
const wantsWorkspaces = { workspaces: ["packages/*"] };

/** Hoisted: one version of each package in the root, other versions beside who wants them. */
function hoisted(at: string, where: (one: Package) => string[]): Files {
  return Object.assign(
    {},
    ...published.flatMap((one) =>
      where(one).map((above) => filesOf(`${at}${above}node_modules/${one.name}`, one)),
    ),
  );
}

/** npm and yarn put conf 2 into the root, for most want it, and conf 1 below who wants that. */
const flat = (one: Package) =>
  key(one) === "conf@1.0.0" ? ["node_modules/left/", "node_modules/stays/"] : [""];

const rootLinks = (): Files =>
  Object.assign(
    {},
    ...Object.entries(workspaces).map(([folder, { name }]) => link(`node_modules/${name}`, folder)),
  );

/** pnpm's store of a project: each package with links to its dependencies beside it. */
function store(): Files {
  const files: Files = {};
  const placed = (one: Package) => {
    const peers = Object.keys(one.peerDependencies ?? {}).map((name) => `_${name}@3.0.0`);
    const dir = `${one.name.replace("/", "+")}@${one.version}${peers.join("")}`;
    return `node_modules/.pnpm/${dir}/node_modules/${one.name}`;
  };
  for (const one of published) {
    const place = placed(one);
    Object.assign(files, filesOf(place, one));
    const beside = place.slice(0, -one.name.length);
    const wanted = { ...one.dependencies, ...(one.peerDependencies && { host: "3.0.0" }) };
    for (const [name, version] of Object.entries(wanted)) {
      const other = byKey.get(`${name}@${version}`);
      if (other !== undefined) Object.assign(files, link(`${beside}${name}`, placed(other)));
    }
    // What it hoists for packages that do not list all they want.
    const hidden = `node_modules/.pnpm/node_modules/${one.name}`;
    Object.assign(files, link(hidden, place));
  }
  for (const [folder, one] of Object.entries(workspaces)) {
    for (const [name, version] of Object.entries({ ...one.dependencies, ...one.devDependencies })) {
      const other = byKey.get(`${name}@${version}`);
      const target = other === undefined ? folderOf(name) : placed(other);
      Object.assign(files, link(`${folder}/node_modules/${name}`, target));
    }
  }
  return files;
}

/** Links of each workspace to those that it lists. */
const ownLinks = (): Files =>
  Object.assign(
    {},
    ...Object.entries(workspaces).flatMap(([folder, { dependencies = {} }]) =>
      Object.entries(dependencies)
        .filter(([, version]) => version === "workspace")
        .map(([name]) => link(`${folder}/node_modules/${name}`, folderOf(name))),
    ),
  );

const pnpmRoot: Files = {
  ...rootManifest({}),
  "pnpm-workspace.yaml": "packages:\n  - packages/*\n",
  "pnpm-lock.yaml": "lockfileVersion: '9.0'\n",
  "node_modules/.modules.yaml": "layoutVersion: 5\n",
};

/** Repositories, by what has installed them. */
export const layouts: Record<string, () => Files> = {
  "npm, workspaces": () => ({
    ...rootManifest(wantsWorkspaces),
    "package-lock.json": '{ "lockfileVersion": 3 }',
    "node_modules/.package-lock.json": '{ "lockfileVersion": 3 }',
    ...allWorkspaces(),
    ...rootLinks(),
    ...hoisted("", flat),
  }),
  "npm, workspaces, the app's version beside it": () => ({
    ...rootManifest(wantsWorkspaces),
    ...allWorkspaces(),
    ...rootLinks(),
    ...hoisted("", (one) =>
      key(one) === "conf@2.0.0"
        ? ["packages/app/", "packages/lib/", "node_modules/@scope/esm/"]
        : [""],
    ),
  }),
  "yarn classic, workspaces": () => ({
    ...rootManifest(wantsWorkspaces),
    "yarn.lock": "# yarn lockfile v1\n",
    "node_modules/.yarn-integrity": "{}",
    ...allWorkspaces(),
    ...rootLinks(),
    ...hoisted("", flat),
  }),
  "yarn classic, nohoist": () => ({
    ...rootManifest({ workspaces: { packages: ["packages/*"], nohoist: ["app/**"] } }),
    "yarn.lock": "# yarn lockfile v1\n",
    ...allWorkspaces(),
    // Links to the others stand below the app too.
    ...rootLinks(),
    ...ownLinks(),
    ...hoisted("packages/app/", flat),
    ...hoisted("", flat),
  }),
  "pnpm, links": () => ({ ...pnpmRoot, ...allWorkspaces(), ...store() }),
  "pnpm, node-linker=hoisted": () => ({
    ...pnpmRoot,
    ".npmrc": "node-linker=hoisted\n",
    ...allWorkspaces(),
    ...ownLinks(),
    ...hoisted("", flat),
  }),
};
