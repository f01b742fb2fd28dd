/** `bundle build --map DIR=PATH`: apps whose files are at the paths that they were made for. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { architectures, frontPath, runtimePath } from "../../builder/host/paths.ts";
import { build, explain } from "../../builder/index.ts";
import { bundleOf, mksquashfs, runArguments } from "../support/bundle-of.ts";
import { writeFiles } from "../support/case.ts";
import { end, LONG } from "../support/holders.ts";
import { skipUnless } from "../support/needs.ts";
import { pack, start, ways } from "../support/packed.ts";
import { asUser, bundle, bundleCommand, fuselage, root, run } from "../support/process.ts";
import { forgetFixedPath } from "../support/start.ts";
import { temporaryDirectory, userDirectory } from "../support/temporary.ts";

const name = `fuselage-map-${process.pid}`;
const prefix = `/opt/${name}`;
const store = `/${name}/store/abc`;

/** A program with its folder compiled into it: the path of its data, and DT_RPATH. */
function compileThing(): string {
  const dir = path.join(temporaryDirectory(), "thing");
  writeFiles(dir, {
    "share/data": "its own data\n",
    "lib.c": "int answer(void) { return 42; }\n",
    "thing.c": `#include <stdio.h>
int answer(void);
int main(int argc, char **argv)
{
	char line[64];
	FILE *file = fopen("${prefix}/share/data", "r");
	if (!file || !fgets(line, sizeof line, file))
		return perror("${prefix}/share/data"), 3;
	printf("%d %s", answer(), line);
	return 0;
}
`,
  });
  mkdirSync(path.join(dir, "bin"));
  mkdirSync(path.join(dir, "lib"));
  const cc = (...args: string[]) => execFileSync("cc", args, { cwd: dir });
  cc("-shared", "-fPIC", "-o", "lib/libanswer.so", "lib.c");
  const rpath = `-Wl,--disable-new-dtags,-rpath,${prefix}/lib`;
  cc("-o", "bin/thing", "thing.c", "-Llib", "-lanswer", rpath);
  return dir;
}

const nodeProgram = `const fs = require("node:fs");
const { spawnSync } = require("node:child_process");
const read = () => fs.readFileSync("${prefix}/data", "utf8").trim();
const child = spawnSync(process.execPath, ["-e", 'console.log(require("${prefix}/module.js"))'], { encoding: "utf8" });
const load = (file) => require(file);
console.log(read(), load("${store}/module.js"), child.stdout.trim());
`;

let shell: string;
let thing: string | undefined;
let node: string;
let still: string;
beforeAll(async () => {
  shell = await pack(
    {
      run: runArguments,
      "app/data": "packed\n",
      "app/tool": `#!${prefix}/interpreter\n`,
      "app/interpreter": { link: "/bin/echo" },
    },
    { maps: [`app=${prefix}`, `.=${store}`] },
  );
  node = await pack(
    { "index.js": nodeProgram, "files/data": "data", "files/module.js": 'module.exports = "mod";' },
    {
      entry: "index.js",
      include: ["files/**"],
      maps: [`app/files=${prefix}`, `app/files=${store}`],
    },
  );
  const dir = temporaryDirectory();
  writeFileSync(
    path.join(dir, "still.c"),
    `#include <stdio.h>\nint main(void) { puts(fopen("${prefix}/data", "r") ? "there" : "away"); return 0; }\n`,
  );
  mkdirSync(path.join(dir, "app/bin"), { recursive: true });
  mkdirSync(path.join(dir, "app/files"));
  writeFileSync(path.join(dir, "app/files/data"), "");
  execFileSync("cc", ["-static", "-o", "app/bin/still", "still.c"], { cwd: dir });
  still = path.join(dir, "still.run");
  await build({ input: path.join(dir, "app"), output: still, maps: [`files=${prefix}`] });
  const input = compileThing();
  thing = path.join(path.dirname(input), "thing.run");
  await build({ input, output: thing, entry: "bin/thing", maps: [`.=${prefix}`] });
});

describe.each(ways.filter(({ strategy }) => strategy !== "fusermount"))("$title", (way) => {
  const check = skipUnless(...way.needs, "gcc");
  const home = () => (way.root ? temporaryDirectory() : userDirectory());

  check(
    "a shell app, a Node app, a static one and one with a fixed prefix find theirs",
    async () => {
      const own = home();
      const options = { env: { FUSELAGE_LINGER: "5" } };
      // Each of them three times: the later ones share the mount of the first.
      for (let i = 0; i < 3; i++) {
        const script = ["sh", "-c", `cat ${prefix}/data ${store}/app/data && ${prefix}/tool x`];
        const outcome = await start(way, shell, script, own, options);
        expect(outcome).toMatchObject({ status: 0, stdout: `packed\npacked\n${prefix}/tool x\n` });
        expect(await start(way, still, [], own, options)).toMatchObject({
          status: 0,
          stdout: "there\n",
        });
        expect(await start(way, node, [], own, options)).toMatchObject({
          status: 0,
          stdout: "data mod mod\n",
        });
        expect(await start(way, thing ?? "", [], own, options)).toMatchObject({
          status: 0,
          stdout: "42 its own data\n",
        });
      }
      expect(existsSync(prefix) || existsSync(store)).toBe(false);
    },
  );

  check("the entrypoint may be a link to where a map has the program", async () => {
    const files = {
      "store/tool": "#!/bin/sh\necho $(basename $0)\n",
      "bin/app": { link: `${store}/tool` },
    };
    for (const maps of [[`store=${store}`], [`store=?${store}`]]) {
      const linked = await pack(files, { entry: "bin/app", maps });
      expect(await start(way, linked, [], home())).toMatchObject({ status: 0, stdout: "tool\n" });
    }
  });

  check("a later start shares the mount and has its own paths", async () => {
    const own = home();
    const env = {
      FUSELAGE_DEBUG: "1",
      FUSELAGE_HOME: path.join(own, ".fuselage"),
      FUSELAGE_LINGER: LONG,
    };
    const { stderr: first } = await start(way, shell, ["true"], own, { env });
    const { stderr, stdout } = await start(way, shell, ["cat", `${prefix}/data`], own, { env });
    await end(shell);
    expect(first).not.toContain("(shared)");
    if (way.strategy !== "extract") expect(stderr).toContain("(shared)");
    expect(stdout).toBe("packed\n");
  });
});

describe("a bundle with maps, started by an ordinary user", () => {
  skipUnless(
    "userns",
    "fuse",
    "fusermount",
  )("takes a namespace, not fusermount3", async () => {
    const home = userDirectory();
    const env = { FUSELAGE_DEBUG: "1" };
    const { stderr, stdout } = await asUser(shell, ["cat", `${prefix}/data`], home, { env });
    expect(stderr).toMatch(/mounted by fuse\b/);
    expect(stdout).toBe("packed\n");
    const forced = { env: { FUSELAGE_MOUNT: "fusermount" } };
    const no = await asUser(shell, ["true"], home, forced);
    expect(no).toMatchObject({ status: 125, stdout: "" });
    expect(no.stderr).toContain("[E_MAP_NAMESPACE]");
    expect(no.stderr).toContain(`nothing can appear at ${prefix}: fusermount3 mounts on the host`);
  });

  skipUnless(
    "userns",
    "fuse",
    "fusermount",
  )("? goes on by fusermount3 when told to", async () => {
    const file = await pack(undefined, { maps: [`.=?${prefix}`] });
    const env = { FUSELAGE_MOUNT: "fusermount", FUSELAGE_DEBUG: "1" };
    const script = ["sh", "-c", `[ ! -e ${prefix} ] && echo without`];
    const { stderr, stdout } = await asUser(file, script, userDirectory(), { env });
    expect(stderr).toMatch(/mounted by fusermount/);
    expect(stderr).toContain(`.=?${prefix} is left out: `);
    expect(stdout).toBe("without\n");
  });
});

describe("where namespaces are refused", () => {
  const script = ["sh", "-c", `[ ! -e ${prefix} ] && echo without`];
  let needed: string;
  let optional: string;
  let filter: string;
  beforeAll(async () => {
    needed = await pack(undefined, { maps: [`.=${prefix}`] });
    optional = await pack(undefined, { maps: [`.=?${prefix}`] });
    filter = path.join(temporaryDirectory(), "refuse-calls");
    execFileSync("cc", ["-o", filter, path.join(root, "test/support/refuse-calls.c")]);
  });

  const limited = `echo 0 > /proc/sys/user/max_user_namespaces && exec setpriv --bounding-set -all --inh-caps -all --no-new-privs "$0" "$@"`;
  const refusals: [string, (file: string) => [string, string[], Record<string, string>]][] = [
    [
      "by a filter of system calls",
      (file) => [filter, ["1000", "1000", file, ...script], { REFUSE_CALLS: "unshare" }],
    ],
    [
      "by a filter that kills",
      (file) => [
        filter,
        ["1000", "1000", file, ...script],
        { REFUSE_CALLS: "unshare,mount", REFUSE_BY: "kill" },
      ],
    ],
    [
      "by user.max_user_namespaces",
      (file) => {
        const drop = ["--reuid=1000", "--regid=1000", "--clear-groups", "unshare", "--user"];
        const inner = ["--map-current-user", "--keep-caps", "sh", "-c", limited, file];
        return ["setpriv", [...drop, ...inner, ...script], {}];
      },
    ],
  ];
  for (const [title, command] of refusals) {
    skipUnless(
      "root",
      "userns",
      "gcc",
    )(`${title}: an error, or without`, async () => {
      const [program, args, env] = command(needed);
      const no = await run(program, args, { env: { ...env, HOME: userDirectory() } });
      expect(no).toMatchObject({ status: 125, stdout: "" });
      expect(no.stderr).toContain("[E_MAP_NAMESPACE]");
      expect(no.stderr).toContain(`nothing can appear at ${prefix}: `);
      const [, without] = command(optional);
      const go = await run(program, without, { env: { ...env, HOME: userDirectory() } });
      expect(go).toMatchObject({ status: 0, stdout: "without\n" });
    });
  }

  skipUnless("root", "gcc")(
    "pivot_root alone is refused: only new top-level folders are",
    async () => {
      const files = { run: runArguments };
      const top = await pack(files, { maps: [`.=/${name}/x`] });
      const both = await pack(files, { maps: [`.=?/${name}/x`, `.=${prefix}`] });
      const env = { REFUSE_CALLS: "pivot_root", HOME: temporaryDirectory() };
      const no = await run(filter, ["0", "0", top, "true"], { env });
      expect(no).toMatchObject({ status: 125, stdout: "" });
      expect(no.stderr).toMatch(/\[E_MAP_REFUSED\].* \/ cannot be covered .*pivot_root/);
      const ls = ["sh", "-c", `ls ${prefix}; [ -e /${name} ] || echo without; pwd`];
      const go = await run(filter, ["0", "0", both, ...ls], { env, cwd: "/usr/lib" });
      expect(go).toMatchObject({ status: 0, stdout: "run\nwithout\n/usr/lib\n" });
    },
  );
});

describe("a build", () => {
  test("records maps as they are meant, shows and explains them", async () => {
    const dir = temporaryDirectory();
    writeFiles(dir, {
      "app/run": runArguments,
      "app/lib/x": "",
      "app/link": { link: "lib" },
      "app/grün/x": "",
    });
    const input = path.join(dir, "app");
    const output = path.join(dir, "out");
    const maps = [".//lib/=/opt//a/", "link=!?/opt/b", "./=?/opt/c", "grün=/opt/grün"];
    const recorded = ["lib=/opt/a", "lib=?!/opt/b", ".=?/opt/c", "grün=/opt/grün"];
    await build({ input, output, maps });
    const { stdout } = await bundle(["inspect", output, "--json"]);
    expect(JSON.parse(stdout).manifest.maps).toEqual(recorded);
    const info = await run(output, ["--bundle-info"]);
    expect(info.stdout).toContain("map:         lib=?!/opt/b\n");
    const { lines } = await explain({ input, maps });
    expect(lines).toContain("map: lib/ appears at /opt/a");
    expect(lines).toContain(
      "map: lib/ appears at /opt/b, in place of a folder that is there, or not, where it cannot",
    );
    // Taken over with the image, and replaced by those that are given.
    const again = path.join(dir, "again");
    await build({ input: output, output: again });
    const taken = await bundle(["inspect", again, "--json"]);
    expect(JSON.parse(taken.stdout).manifest.maps).toEqual(recorded);
    await build({ input: output, output: again, maps: ["lib=/opt/other"] });
    const given = await bundle(["inspect", again, "--json"]);
    expect(JSON.parse(given.stdout).manifest.maps).toEqual(["lib=/opt/other"]);
  });

  test("without maps has the smaller program in front", async () => {
    const [plain, mapped] = [await pack(), await pack(undefined, { maps: [`.=${prefix}`] })];
    const offset = async (file: string) =>
      JSON.parse((await bundle(["inspect", file, "--json"])).stdout).image.offset as number;
    expect(await offset(plain)).toBeLessThan(await offset(mapped));
  });

  test.each(architectures)("docs say what both programs take: %s", (machine) => {
    const sizes = [frontPath(machine), runtimePath(machine)].map((file) => statSync(file).size);
    const rows = readFileSync(path.join(root, "docs/original-paths.md"), "utf8").split("\n");
    const row = rows.find((line) => line.startsWith(`| ${machine} |`)) ?? "";
    const said = row.split("|").slice(2, 4).map(Number);
    expect(said).toHaveLength(2);
    for (const [index, size] of sizes.entries()) {
      // A few lines of code are no reason to write it anew.
      expect(Math.abs((said[index] ?? 0) * 1024 - size)).toBeLessThan(size / 20);
    }
  });

  test.each([
    ["lib=relative", "E_MAP_INVALID"],
    ["lib", "E_MAP_INVALID"],
    ["=/opt/x", "E_MAP_INVALID"],
    ["lib=/opt/../x", "E_MAP_INVALID"],
    ["../lib=/opt/x", "E_MAP_INVALID"],
    ["/lib=/opt/x", "E_MAP_INVALID"],
    [`lib=/opt/${"x".repeat(240)}/${"y".repeat(2000)}`, "E_MAP_INVALID"],
    ["lib=/", "E_MAP_RESERVED"],
    ["lib=/proc/x", "E_MAP_RESERVED"],
    ["lib=!/etc", "E_MAP_RESERVED"],
    ["lib=/etc/passwd", "E_MAP_RESERVED"],
    ["none=/opt/x", "E_MAP_SOURCE"],
    ["run=/opt/x", "E_MAP_SOURCE"],
    ["outside=/opt/x", "E_MAP_SOURCE"],
    ["loop=/opt/x", "E_MAP_SOURCE"],
  ])("refuses %.50s: %s", async (map, code) => {
    const dir = temporaryDirectory();
    const files = { run: runArguments, "lib/x": "", outside: { link: "/usr" } };
    writeFiles(dir, Object.fromEntries(Object.entries(files).map(([k, v]) => [`app/${k}`, v])));
    symlinkSync("loop", path.join(dir, "app/loop"));
    const args = ["build", path.join(dir, "app"), "-o", path.join(dir, "out"), "--map", map];
    const { status, stderr } = await bundle([...args, "--entry", "run"]);
    expect({ status, stderr }).toMatchObject({ status: 2 });
    expect(stderr).toContain(`[${code}]`);
    expect(stderr).toContain(map.slice(0, 60));
    expect(existsSync(path.join(dir, "out"))).toBe(false);
  });

  test.each([
    [["lib=/opt/a", ".=/opt/a"], "twice at one path"],
    [["lib=/opt/a", ".=/opt/a/b"], "one is below the other"],
    [["lib=/opt/a/b", ".=!/opt/a"], "one is below the other"],
  ])("refuses %s together", async (maps, words) => {
    await expect(pack({ run: runArguments, "lib/x": "" }, { maps })).rejects.toMatchObject({
      code: "E_MAP_OVERLAP",
      message: expect.stringContaining(words),
    });
  });
});

skipUnless(
  "root",
  "userns",
  "systemPython",
)("a venv is made at its path without it", async () => {
  const dir = temporaryDirectory();
  const place = `${prefix}-venv`;
  const output = path.join(dir, "tool.run");
  const tool = `#!${place}/bin/python3\nimport sys\nprint("ran", sys.prefix, sys.argv[1:])\n`;
  writeFileSync(path.join(dir, "tool"), tool);
  const make = `/usr/bin/python3 -m venv --without-pip ${place} &&
    install -m 755 ${dir}/tool ${place}/bin/tool &&
    ${process.execPath} ${bundleCommand} build ${place} -o ${output} --map .=${place} --entry bin/tool`;
  const args = ["--dynamic-empty=venv", `--bind=venv=${place}`, "--", "sh", "-ec", make];
  const { status, stderr } = await run(fuselage, args);
  expect({ status, stderr }).toEqual({
    status: 0,
    stderr: expect.not.stringContaining("W_SHEBANG"),
  });
  expect(existsSync(place)).toBe(false);
  const expected = { status: 0, stdout: `ran ${place} ['x']\n` };
  expect(await run(output, ["x"], { env: { HOME: dir } })).toMatchObject(expected);
  expect(await asUser(output, ["x"], userDirectory())).toMatchObject(expected);
});

skipUnless(
  "root",
  "userns",
  "fuse",
)("maps, a fixed path and a writable copy go together", async () => {
  const fixed = `/run/fuselage/${name}`;
  const files = { run: runArguments, "lib/data": "packed\n" };
  const file = await pack(files, { mountAt: fixed, writable: true, maps: [`lib=${prefix}`] });
  const script = `cat ${prefix}/data && echo mine > ${prefix}/data && cat ${fixed}/lib/data`;
  const command = ["sh", "-c", script];
  const expected = { status: 0, stdout: "packed\nmine\n" };
  expect(await asUser(file, command, userDirectory())).toMatchObject(expected);
  expect(await run(file, command)).toMatchObject(expected);
  forgetFixedPath(fixed);
});

skipUnless("root", "userns")("many at once do not see each other", async () => {
  const home = userDirectory();
  const env = { FUSELAGE_MOUNT: "auto", FUSELAGE_LINGER: "5" };
  const count = "grep -c ' fuselage-map ' /proc/self/mountinfo";
  const command = ["sh", "-c", `cat ${prefix}/data ${store}/app/data; ${count}`];
  const outcomes = await Promise.all(
    Array.from({ length: 24 }, (_, index) =>
      index % 2 ? asUser(shell, command, home, { env }) : run(shell, command, { env }),
    ),
  );
  expect(new Set(outcomes.map(({ stdout }) => stdout))).toEqual(new Set(["packed\npacked\n2\n"]));
});

describe("as other formats", () => {
  skipUnless("userns", "fuse")("an AppImage, and a recorded invocation of the runner", async () => {
    const dir = temporaryDirectory();
    writeFiles(dir, { "app/run": runArguments, "app/lib/data": "packed\n" });
    const image = path.join(dir, "App.AppImage");
    const input = path.join(dir, "app");
    await build({ input, output: image, entry: "run", maps: [`lib=${prefix}`] });
    const cat = ["cat", `${prefix}/data`];
    expect(await run(image, cat)).toMatchObject({ status: 0, stdout: "packed\n" });
    expect(await asUser(image, cat, userDirectory())).toMatchObject({ stdout: "packed\n" });
    const sfs = await mksquashfs(input, "-all-root");
    const output = path.join(dir, "assembled");
    const assemble = (bind: string) =>
      bundle([
        ...["assemble", `--archive=${sfs}`, `--output=${output}`, "--"],
        ...["--static=x:/proc/self/exe", `--bind=${bind}`, "cat"],
      ]);
    expect(await assemble(`x/lib=${prefix}`)).toMatchObject({ status: 0 });
    const started = await asUser(output, [`${prefix}/data`], userDirectory());
    expect(started).toMatchObject({ status: 0, stdout: "packed\n" });
    for (const [bind, code] of [
      ["x/lib=opt", "E_MAP_INVALID"],
      ["y/lib=/opt/x", "E_MAP_SOURCE"],
      ["x/lib=/proc/x", "E_MAP_RESERVED"],
    ] as const) {
      const no = await assemble(bind);
      expect(no.status).toBe(2);
      expect(no.stderr).toContain(`[${code}]`);
    }
  });

  skipUnless("root")("the doctor says which ways have the paths", async () => {
    const file = await pack(undefined, { maps: [`.=${prefix}`] });
    const { stdout } = await asUser(file, ["--bundle-doctor"], userDirectory());
    expect(stdout).toMatch(/^fuse +works/m);
    expect(stdout).toMatch(/^fusermount +refused: .*nothing can appear at/m);
    const taken = await pack(undefined, { maps: [".=/usr"] });
    const { stdout: refused } = await asUser(taken, ["--bundle-doctor"], userDirectory());
    expect(refused).toMatch(/^fuse +refused: .*\/usr is there on this machine/m);
  });

  skipUnless("root")("a front that has nothing for maps refuses them", async () => {
    const front = path.join(root, "dist/runtime", process.arch === "x64" ? "x86_64" : "aarch64");
    const dir = temporaryDirectory();
    writeFiles(dir, { "app/run": runArguments });
    const image = await mksquashfs(path.join(dir, "app"), "-all-root");
    const manifest = { maps: [`.=${prefix}`] };
    const file = await bundleOf(image, manifest, path.join(front, "front"));
    const { status, stderr } = await run(file, ["true"]);
    expect({ status, stderr }).toMatchObject({ status: 125 });
    expect(stderr).toContain("[E_MANIFEST_VERSION]");
    const started = await run(await bundleOf(image, { maps: [".=/proc/x"] }), ["true"]);
    expect(started.stderr).toContain("[E_MAP_RESERVED]");
  });
});
