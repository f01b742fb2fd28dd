/** Archives of apps, built: the same bundles as of the folders that they hold. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { beforeEach, describe, expect, test } from "vitest";
import { diff } from "../../builder/api/diff.ts";
import { type Files, writeFiles } from "../support/case.ts";
import { interrupt } from "../support/interrupt.ts";
import { skipUnless } from "../support/needs.ts";
import { asUser, bundle, bundleCommand, run } from "../support/process.ts";
import { type Member, tarOf } from "../support/tar.ts";
import { temporaryDirectory, userDirectory } from "../support/temporary.ts";
import { extraField, makeZip, S_IFDIR, S_IFREG, type ZipEntry, zipLink } from "../support/zip.ts";

const says = (text: string) => `#!/bin/sh\necho ${text} "$@"\n`;

const shell: Files = {
  "app/bin/app": says("shell"),
  "app/bin/as": { link: "app" },
  "app/data": "x",
};

let dir: string;
let env: Record<string, string>;

beforeEach(() => {
  dir = temporaryDirectory();
  // Whatever is left in it was forgotten.
  env = { TMPDIR: path.join(dir, "tmp") };
  mkdirSync(path.join(dir, "tmp"));
});

const file = (name: string) => path.join(dir, name);
const tar = (...args: string[]) => execFileSync("tar", args, { cwd: dir });
const left = () => readdirSync(file("tmp"));

async function built(...args: string[]) {
  const outcome = await bundle(["build", ...args, "-o", "out.run"], { cwd: dir, env });
  expect(left()).toEqual([]);
  return outcome;
}

async function refused(code: string, message: RegExp, ...args: string[]): Promise<void> {
  const { status, stderr } = await built(...args);
  expect(stderr).toContain(code);
  expect(stderr).toMatch(message);
  expect(stderr).not.toContain(file("tmp"));
  expect([status === 0, existsSync(file("out.run"))]).toEqual([false, false]);
}

async function starts(...args: string[]): Promise<string> {
  const { stdout, stderr, status } = await run(file("out.run"), args, { cwd: dir });
  expect([stderr, status]).toEqual(["", 0]);
  return stdout;
}

describe("a shell app", () => {
  const makers: Record<string, () => void> = {
    "app.tar": () => tar("-C", "app", "-cf", "app.tar", "."),
    "app.tgz": () => tar("-C", "app", "-czf", "app.tgz", "."),
    "app.tar.xz": () => tar("-C", "app", "-cJf", "app.tar.xz", "."),
    "app.tar.zst": () => tar("-C", "app", "--zstd", "-cf", "app.tar.zst", "."),
    "app.zip": () =>
      execFileSync(process.execPath, [bundleCommand, "pack", "app", "-o", "app.zip"], { cwd: dir }),
  };
  test.for(Object.keys(makers))("in %s", async (name) => {
    writeFiles(dir, shell);
    makers[name]?.();
    await bundle(["build", "app", "-o", "folder.run"], { cwd: dir });
    expect((await built(name)).status).toBe(0);
    expect(readFileSync(file("out.run")).equals(readFileSync(file("folder.run")))).toBe(true);
    expect(await starts("a b")).toBe("shell a b\n");
  });

  test("in the one folder of an archive", async () => {
    writeFiles(dir, shell);
    tar("-czf", "release.tgz", "app");
    const { stdout } = await built("release.tgz", "--entry", "bin/app", "--explain");
    expect(stdout).toContain("unpacked from release.tgz; the app is all of its one folder, app");
    expect((await built("release.tgz", "--entry", "bin/app")).status).toBe(0);
    expect(await starts()).toBe("shell\n");
    // From the archive's root it is said, too, and a folder of an app's own is no such folder.
    expect((await built("release.tgz", "--entry", "app/bin/app")).status).toBe(0);
    expect(await starts()).toBe("shell\n");
    tar("-C", "app", "-cf", "bin.tar", "bin");
    expect((await built("bin.tar", "--name", "app")).status).toBe(0);
    expect(await starts()).toBe("shell\n");
  });

  test("on standard input, as the kind that is said", async () => {
    writeFiles(dir, shell);
    tar("-C", "app", "-czf", "app.tgz", ".");
    const args = [bundleCommand, "build", "-", "--kind", "plain", "--name", "app", "-o", "out.run"];
    execFileSync(process.execPath, args, { cwd: dir, input: readFileSync(file("app.tgz")) });
    expect(await starts("piped")).toBe("shell piped\n");
  });

  test("without what is left out, by the app's own paths", async () => {
    writeFiles(dir, { ...shell, "app/.bundleignore": "*.log\n", "app/a.log": "", "app/b.map": "" });
    tar("-czf", "release.tgz", "app");
    await built("release.tgz", "--entry", "bin/app", "--exclude", "*.map");
    const { stdout } = await bundle(["dump", "out.run", "--no-times"], { cwd: dir });
    expect(stdout).toContain("data");
    expect(stdout).not.toMatch(/b\.map|a\.log|bundleignore/);
  });
});

test("what npm packs of a Node app, as a user", async () => {
  dir = userDirectory();
  const json = { name: "hi", version: "1.0.0", bin: "main.js", files: ["main.js", "lib"] };
  writeFiles(dir, {
    "hi/package.json": JSON.stringify(json),
    "hi/main.js": '#!/usr/bin/env node\nconsole.log(require("./lib/greet.js")(process.argv[2]));\n',
    "hi/lib/greet.js": "module.exports = (name) => `hi ${name}`;\n",
  });
  execFileSync("npm", ["pack", "--silent", "--offline", "--pack-destination", dir], {
    cwd: file("hi"),
  });
  const args = ["build", "hi-1.0.0.tgz", "--node", "none", "-o", "out.run"];
  const { status, stdout } = await asUser(process.execPath, [bundleCommand, ...args], dir, {
    cwd: dir,
  });
  expect([status, stdout]).toEqual([0, expect.stringContaining("kind: node")]);
  expect(await starts("you")).toBe("hi you\n");
});

test("a script of another language", async () => {
  writeFiles(dir, {
    "tool/run.py": "#!/usr/bin/env python3\nimport sys; print('py', sys.argv[1])\n",
  });
  tar("-cf", "tool.tar", "tool");
  await built("tool.tar");
  expect(await starts("x")).toBe("py x\n");
});

const program: Member = { name: "bin/app", data: says("tar"), mode: "0004755" };

test("what an archive says, whoever builds", async () => {
  dir = userDirectory();
  const members: Member[] = [
    program,
    { name: "bin/again", type: "1", linkName: "bin/app" },
    { name: "link", type: "2", linkName: "../../etc/passwd" },
    { name: "secret", data: "s", mode: "0000000" },
    { name: "closed/", type: "5", mode: "0000500" },
    { name: "closed/file", data: "f", mode: "0000444" },
    { name: "pipe", type: "6" },
    { name: "null", type: "3" },
  ];
  writeFileSync(file("app.tar"), tarOf(...members));
  const keep = ["--keep-mtimes", "--keep-owners", "--devices"];
  await bundle(["pack", "app.tar", "-o", "packed.sfs", ...keep], { cwd: dir });
  const args = [bundleCommand, "build", "app.tar", "-o", "out.run", ...keep];
  const { stderr, status } = await asUser(process.execPath, args, dir, { cwd: dir });
  expect([stderr.includes("error"), status]).toEqual([false, 0]);
  const { differences } = await diff({ before: file("packed.sfs"), after: file("out.run") });
  expect(differences).toEqual([]);
});

describe("tar archives that nobody makes by accident", () => {
  const cases: Record<string, [string, RegExp, ...Member[]]> = {
    "a way up": ["E_ARCHIVE_UNSAFE", /\.\.\/out/, program, { name: "../out", data: "x" }],
    "a way up within": ["E_ARCHIVE_UNSAFE", /leads out/, program, { name: "bin/../../out" }],
    "a file below a file": ["E_ARCHIVE_UNSAFE", /no folder/, program, { name: "bin/app/x" }],
    "a hard link to nothing": [
      "E_ARCHIVE_CORRUPT",
      /not there/,
      { name: "a", type: "1", linkName: "b" },
    ],
    "more than there is": [
      "E_ARCHIVE_CORRUPT",
      /ends in the middle/,
      program,
      { name: "a", size: 2 ** 32 },
    ],
    "a device": ["E_FILE_KIND", /character device/, program, { name: "null", type: "3" }],
    "nothing at all": ["E_INPUT_EMPTY", /app\.tar/, { name: "./", type: "5" }],
  };
  test.for(Object.entries(cases))("%s", async ([, [code, message, ...members]]) => {
    writeFileSync(file("app.tar"), tarOf(...members));
    await refused(code, message, "app.tar");
  });

  test("a path through a link out of it stays in it", async () => {
    const link = { name: "out", type: "2", linkName: "/../../../.." };
    writeFileSync(file("app.tar"), tarOf(program, link, { name: `out${dir}/tmp/x`, data: "x" }));
    await built("app.tar");
    const { stdout } = await bundle(["dump", "out.run", "--no-times"], { cwd: dir });
    expect(stdout).toContain(`${dir}/tmp/x file`);
  });

  test("one that is cut off, and one of a codec that is not known", async () => {
    const whole = gzipSync(tarOf(program));
    writeFileSync(file("app.tgz"), whole.subarray(0, whole.length - 30));
    await refused("E_ARCHIVE_CORRUPT", /app\.tgz/, "app.tgz");
    writeFileSync(file("app.tbz"), "BZh9 and more");
    await refused("E_ARCHIVE_FORMAT", /bzip2/, "app.tbz");
  });
});

describe("zip files", () => {
  const script: ZipEntry = { name: "bin/app", content: says("zip"), mode: S_IFREG | 0o755 };
  const cases: Record<string, [string, RegExp, ...ZipEntry[]]> = {
    "a way up": ["E_ARCHIVE_UNSAFE", /leads out/, script, { name: "../out", content: "x" }],
    "a way up by backslashes": [
      "E_ARCHIVE_UNSAFE",
      /leads out/,
      script,
      { name: "a\\..\\..\\out" },
    ],
    "a file below a file": ["E_ARCHIVE_UNSAFE", /no folder/, script, { name: "bin/app/x" }],
    "another checksum": ["E_ARCHIVE_CORRUPT", /checksum/, { ...script, claim: { crc: 1 } }],
    "another size": ["E_ARCHIVE_CORRUPT", /app\.zip/, { ...script, claim: { size: 7 } }],
    "more than it can hold": [
      "E_ARCHIVE_CORRUPT",
      /claims/,
      { ...script, deflate: true, claim: { size: 2 ** 32 - 2 } },
    ],
    "a password": [
      "E_ARCHIVE_FORMAT",
      /encrypted/,
      { ...script, deflate: true, claim: { flags: 0x801 } },
    ],
    "another method": ["E_ARCHIVE_FORMAT", /method 12/, { ...script, claim: { method: 12 } }],
    "a fifo": ["E_FILE_KIND", /special file/, script, { name: "pipe", mode: 0o010644 }],
    "an offset beyond": ["E_ARCHIVE_CORRUPT", /app\.zip/, { ...script, claim: { offset: 1e6 } }],
  };
  test.for(Object.entries(cases))("%s", async ([, [code, message, ...entries]]) => {
    writeFileSync(file("app.zip"), makeZip(entries));
    await refused(code, message, "app.zip");
  });

  test("links, times and names of their own", async () => {
    const time = Buffer.concat([Buffer.from([1]), Buffer.alloc(4)]);
    time.writeUInt32LE(1_500_000_000, 1);
    const entries: ZipEntry[] = [
      script,
      zipLink("bin/as", "app"),
      { name: "käse", content: "x", extra: [extraField(0x5455, time)] },
      { name: "empty/" },
    ];
    writeFileSync(file("app.zip"), makeZip(entries, true));
    await built("app.zip", "--keep-mtimes");
    expect(await starts("y")).toBe("zip y\n");
    const { stdout } = await bundle(["dump", "out.run", "--no-digests"], { cwd: dir });
    expect(stdout).toMatch(/\/k\\xc3\\xa4se file 0644 0:0 1 1500000000/);
    expect(stdout).toMatch(/\/bin\/as link .*target=app/);
    expect(stdout).toMatch(/\/empty dir /);
  });

  test("set-id and sticky bits stay away, and no rights at all are the usual ones", async () => {
    const entries: ZipEntry[] = [
      script,
      { name: "su", mode: S_IFREG | 0o6755 },
      { name: "none", mode: S_IFREG },
      { name: "bits", mode: S_IFREG | 0o4000 },
      { name: "group/", mode: S_IFDIR | 0o3775 },
    ];
    writeFileSync(file("app.zip"), makeZip(entries));
    await built("app.zip");
    const zipped = ["pack", "app.zip", "-o", "app.sfs", "--chmod", "su=u+s"];
    expect((await bundle(zipped, { cwd: dir })).status).toBe(0);
    for (const [image, su] of [
      ["out.run", "0755"],
      ["app.sfs", "4755"],
    ] as const) {
      const { stdout } = await bundle(["dump", image, "--no-digests"], { cwd: dir });
      expect(stdout).toContain(`/su file ${su} `);
      expect(stdout).toContain("/none file 0644 ");
      expect(stdout).toContain("/bits file 0644 ");
      expect(stdout).toContain("/group dir 0775 ");
    }
  });

  test("many entries of the same bytes, which could become any size", async () => {
    const whole = makeZip([{ name: "00", content: Buffer.alloc(1 << 20), deflate: true }]);
    const start = whole.indexOf("PK\x01\x02");
    const end = whole.subarray(whole.lastIndexOf("PK\x05\x06"));
    const row = whole.subarray(start, -end.length);
    const rows = Array.from({ length: 100 }, (_, i) => {
      const copy = Buffer.from(row);
      copy.write(`${i}`.padStart(2, "0"), 46);
      return copy;
    });
    for (const at of [8, 10]) end.writeUInt16LE(rows.length, at);
    end.writeUInt32LE(rows.length * row.length, 12);
    writeFileSync(file("app.zip"), Buffer.concat([whole.subarray(0, start), ...rows, end]));
    await refused("E_ARCHIVE_CORRUPT", /lie over each other/, "app.zip");
  });

  test("one that is cut off", async () => {
    writeFileSync(file("app.zip"), makeZip([script]).subarray(0, -30));
    await refused("E_ARCHIVE_CORRUPT", /no whole zip file/, "app.zip");
  });
});

skipUnless("root")("a full disk below TMPDIR is no fault of the archive's", async () => {
  // Contents that are small stay in memory until they are unpacked.
  for (let i = 0; i < 30; i++)
    writeFiles(dir, { [`app/${i}`]: `${i}`.repeat(50_000).slice(0, 50_000) });
  tar("-C", "app", "-czf", "app.tgz", ".");
  for (const more of [[], ["more:/sub"]]) {
    writeFiles(dir, { "more/file": "x" });
    const script = 'mount -t tmpfs -o size=1m,mode=700 none tmp; "$@"; s=$?; ls -A tmp; exit $s';
    const build = [bundleCommand, "build", "app.tgz", ...more, "--kind", "plain", "-o", "out.run"];
    const outcome = await run(
      "unshare",
      ["--mount", "sh", "-c", script, "sh", process.execPath, ...build],
      { cwd: dir, env },
    );
    expect(outcome).toMatchObject({ status: 1, stdout: "" });
    expect(outcome.stderr).toContain(`[E_OUTPUT_NO_SPACE] ${file("tmp")}/.bundle-`);
    expect(outcome.stderr).not.toContain("app.tgz");
  }
});

test("an archive of container images is named as such", async () => {
  writeFileSync(
    file("image.tar"),
    tarOf({ name: "oci-layout", data: "{}" }, { name: "blobs/", type: "5" }),
  );
  await refused("E_KIND_UNKNOWN", /oci-archive:FILE/, "image.tar");
});

describe("several inputs", () => {
  test("of a shell app, merged as pack does, with the same bytes as one folder", async () => {
    const greet = '#!/bin/sh\ncat "${0%/*}/../share/text" "${0%/*}/../srv/data/table"\n';
    writeFiles(dir, {
      "app/bin/app": greet,
      "app/share/own": "",
      "more/share/text": "text\n",
      "more/bin/tool": says("tool"),
      "data/table": "table\n",
    });
    tar("-C", "data", "-czf", "data.tgz", ".");
    expect((await built("app", "more", "data.tgz:/srv/data")).status).toBe(0);
    expect(await starts()).toBe("text\ntable\n");
    mkdirSync(file("whole/srv"), { recursive: true });
    for (const part of ["app", "more"])
      execFileSync("cp", ["-a", `${part}/.`, "whole"], { cwd: dir });
    execFileSync("cp", ["-a", "data", "whole/srv"], { cwd: dir });
    await bundle(["build", "whole", "--name", "app", "-o", "whole.run"], { cwd: dir });
    expect(readFileSync(file("out.run")).equals(readFileSync(file("whole.run")))).toBe(true);
  });

  test("of a Node app, by an archive and a configuration file", async () => {
    writeFiles(dir, {
      "hi/package.json": '{"name": "hi", "bin": "main.js"}',
      "hi/main.js": 'console.log(require("./plugins/own.js"));\n',
      "plugin/own.js": 'module.exports = "own";\n',
    });
    tar("-czf", "hi.tgz", "hi");
    const config = { input: "hi.tgz", more: ["plugin:/plugins"], node: "none" };
    writeFileSync(file("bundle.config.json"), JSON.stringify(config));
    const { stdout } = await built("--config", "bundle.config.json");
    expect(stdout).toContain("kind: node (it has package.json)");
    expect(await starts()).toBe("own\n");
  });

  test("the first one decides the kind", async () => {
    writeFiles(dir, {
      ...shell,
      "node/package.json": '{"name": "x", "main": "x.js"}',
      "node/x.js": "",
    });
    expect((await built("app", "node")).stdout).toContain("kind: plain");
    expect(await starts("a")).toBe("shell a\n");
    expect((await built("node", "app", "--node", "none")).stdout).toContain("kind: node");
  });

  test("that cannot be put together", async () => {
    writeFiles(dir, { ...shell, "other/bin/app": "x", "flat/bin": "x", text: "x" });
    await refused(
      "E_INPUT_CONFLICT",
      /bin\/app.*a file in one and a file in another/,
      "app",
      "other",
    );
    await refused("E_INPUT_CONFLICT", /bin: .*a directory in one/, "app", "flat");
    await refused("E_INPUT_CONFLICT", /data: /, "app", "other:/data");
    await refused("E_INPUT_MISSING", /absent/, "app", "absent:/sub");
    await refused("E_INPUT_NOT_DIRECTORY", /text/, "app", "text");
    await refused("E_INPUT_NOT_DIRECTORY", /app\/bin\/app/, "app/bin/app", "other");
    await refused("E_PATH_INVALID", /\.\./, "app", "other:/a/../../b");
    await refused("E_OPTION_CONFLICT", /oci:x is a container image/, "oci:x", "other");
    await bundle(["pack", "app", "-o", "app.sfs"], { cwd: dir });
    await refused("E_OPTION_CONFLICT", /MORE/, "app.sfs", "other");
  });

  test("one of which is to be the output", async () => {
    writeFiles(dir, { ...shell, "other/x": "" });
    const args = ["build", "app", "other:/x", "-o", "other/out.run"];
    const { status, stderr } = await bundle(args, { cwd: dir, env });
    expect([status === 0, stderr]).toEqual([false, expect.stringContaining("E_OUTPUT_INSIDE")]);
  });
});

test("a build that is ended by a signal leaves nothing of what it unpacked", async () => {
  const large = { name: "large", data: Buffer.alloc(48 << 20, "some text ") };
  writeFileSync(file("app.tar"), tarOf(program, large));
  const args = [`TMPDIR=${dir}/tmp`, process.execPath, bundleCommand, "build", "../app.tar"];
  for (const delay of [0, 20, 60]) {
    const output = ["-o", "../out.run", "--compression", "zstd:19"];
    expect(await interrupt(file("tmp"), "env", [...args, ...output], "SIGINT", delay)).toBe(
      "SIGINT",
    );
    expect([left(), existsSync(file("out.run"))]).toEqual([[], false]);
  }
});
