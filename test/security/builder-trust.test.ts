/**
 * Whom a build believes about the interpreter that it runs and packs: the user and his registry,
 * never the project; and what it believes of what it kept itself.
 */
import { createHash } from "node:crypto";
import {
  chmodSync,
  chownSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import http from "node:http";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { findInterpreter, type InterpreterRequest } from "../../builder/app/node/interpreter.ts";
import {
  configuredRegistry,
  download,
  publishedVersions,
} from "../../builder/app/node/registry.ts";
import { targetFor } from "../../builder/app/node/target.ts";
import { hostArchitecture } from "../../builder/host/paths.ts";
import { writeSquashfs } from "../../builder/squashfs/writer.ts";
import { fileNode } from "../../builder/tree/node.ts";
import { Tree } from "../../builder/tree/tree.ts";
import { writeFiles } from "../support/case.ts";
import { checkOf, type KeptRow, readKept, writeKept } from "../support/kept-blocks.ts";
import { skipUnless } from "../support/needs.ts";
import { bundleCommand, fuselage, ordinaryUser, run } from "../support/process.ts";
import { startRegistry, type TestRegistry } from "../support/registry.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const VERSION = "24.20.0";
const machine = hostArchitecture() ?? "x86_64";
const name = `node-linux-${process.arch}`;
/** Never started: any program for this machine will do for a Node that has the text of one. */
const program = Buffer.concat([readFileSync(fuselage), Buffer.from("internal/bootstrap/node")]);
/** Of one registry, told apart from others by its last bytes, which are not stripped. */
const nodeOf = (who: string) => {
  const bytes = Buffer.from(program);
  bytes.write(who, 0x2000, "latin1");
  return { "bin/node": bytes, LICENSE: `${who} says that you may.\n` };
};

let good: TestRegistry;
let evil: TestRegistry;
let home: string;

beforeEach(async () => {
  [good, evil] = [await startRegistry(), await startRegistry()];
  await good.publish(name, VERSION, nodeOf("good"));
  await evil.publish(name, VERSION, nodeOf("evil"));
  home = temporaryDirectory();
  for (const key of ["registry", "userconfig", "globalconfig"]) {
    vi.stubEnv(`npm_config_${key}`, undefined); // as npm sets them for its scripts
    vi.stubEnv(`NPM_CONFIG_${key.toUpperCase()}`, undefined);
  }
  vi.stubEnv("HOME", home);
  vi.stubEnv("XDG_CACHE_HOME", undefined);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await Promise.all([good.close(), evil.close()]);
});

const place = (url: string) => url.replace(/^http:/, "");

describe("a project's .npmrc", () => {
  /** A project with an .npmrc of the attacker's, and perhaps one above it. */
  function project(dir: string, npmrc: string, above = ""): string {
    const folder = path.join(dir, "above/project");
    const manifest = JSON.stringify({ name: "app", version: "1.0.0", main: "i.js" });
    writeFiles(folder, { "package.json": manifest, "i.js": "console.log(1)\n", ".npmrc": npmrc });
    if (above !== "") writeFileSync(path.join(dir, "above/.npmrc"), above);
    return folder;
  }

  const build = (folder: string, more: string[] = []) =>
    run(
      process.execPath,
      [
        ...[bundleCommand, "build", folder, "-o", path.join(home, "out.run"), "--kind", "node"],
        ...["--node", VERSION, "--no-compile-cache", ...more],
      ],
      { env: { HOME: home, SECRET: "s3cret" }, cwd: path.dirname(folder) },
    );
  const secrets = (registry: TestRegistry) => registry.authorizations.filter(Boolean);

  const attacks: Record<string, () => [npmrc: string, above?: string]> = {
    "names a registry, and a variable as its token": () => [
      `registry=${evil.url}\n${place(evil.url)}:_authToken=\${SECRET}\n`,
    ],
    "has a variable as the token of the user's registry": () => [
      `${place(good.url)}:_authToken=\${SECRET}\n`,
    ],
    "stands above the project": () => [
      "",
      `registry=${evil.url}\n${place(evil.url)}:_authToken=\${SECRET}\n`,
    ],
    "puts a variable into an address": () => [`registry=${evil.url}\${SECRET}/\n`],
    "names a configuration of the user's": () => [
      `userconfig=./.npmrc\nglobalconfig=./.npmrc\nregistry=${evil.url}\n`,
    ],
  };
  for (const [title, attack] of Object.entries(attacks)) {
    for (const options of [[], ["--no-config"]]) {
      test(`that ${title} is not obeyed (${options[0] ?? "with a configuration"})`, async () => {
        writeFileSync(path.join(home, ".npmrc"), `registry=${good.url}\n`);
        const [npmrc, above] = attack();
        const folder = project(temporaryDirectory(), npmrc, above);
        const { status, stderr } = await build(folder, options);
        expect({ status, stderr }).toMatchObject({ status: 0 });
        expect(evil.asked).toEqual([]);
        expect(secrets(good)).toEqual([]);
        expect(good.asked.every((one) => !one.includes("s3cret"))).toBe(true);
        const packed = readFileSync(path.join(home, "out.run"));
        expect(packed.includes("s3cret")).toBe(false);
      });
    }
  }

  test("and the interpreter of another project have nothing to do with each other", async () => {
    writeFileSync(path.join(home, ".npmrc"), `registry=${good.url}\n`);
    const npmrc = `registry=${evil.url}\n`;
    for (const [from, npm] of [
      [temporaryDirectory(), npmrc],
      [temporaryDirectory(), ""],
    ] as const) {
      expect(await build(project(from, npm), ["--no-config"])).toMatchObject({ status: 0 });
    }
    const cache = path.join(home, ".cache/fuselage-bundle/node");
    const [entry = ""] = readdirSync(cache);
    expect(readdirSync(cache)).toHaveLength(1);
    expect(readFileSync(path.join(cache, entry, "LICENSE"), "utf8")).toContain("good");
  });
});

describe("the user's .npmrc", () => {
  test("chooses a mirror, and its token goes there", async () => {
    writeFileSync(
      path.join(home, ".npmrc"),
      `registry=${good.url}\n${place(good.url)}:_authToken=\${TOKEN}\n`,
    );
    vi.stubEnv("TOKEN", "mine");
    await publishedVersions(configuredRegistry(), name);
    expect(good.authorizations).toEqual(["Bearer mine"]);
  });

  test("has a token for its registry alone, not for its neighbours", async () => {
    const asked: string[] = [];
    const server = http.createServer(({ url = "", headers }, response) => {
      asked.push(`${url} ${headers.authorization ?? "-"}`);
      if (url === "/mirror/moved.tgz") response.writeHead(302, { location: `${evil.url}x` });
      response.end("x");
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    const url = `http://127.0.0.1:${port}/mirror/`;
    const registry = { url, authorization: "Bearer mine" };
    const integrity = `sha512-${createHash("sha512").update("x").digest("base64")}`;
    const file = path.join(home, "x.tgz");
    const fetchFrom = (tarball: string) => download(registry, { tarball, integrity }, file);
    await fetchFrom(`${url}a/b.tgz`);
    await fetchFrom(`http://127.0.0.1:${port}/mirror-of-others/b.tgz`);
    await fetchFrom(`http://127.0.0.1:${port}/mirror/../b.tgz`);
    await fetchFrom(`http://localhost:${port}/mirror/b.tgz`);
    await fetchFrom(`${evil.url}${name}/${VERSION}.tgz`).catch(() => {});
    await fetchFrom(`${url}moved.tgz`).catch(() => {});
    expect(asked).toEqual([
      "/mirror/a/b.tgz Bearer mine",
      "/mirror-of-others/b.tgz -",
      "/b.tgz -",
      "/mirror/b.tgz -",
      "/mirror/moved.tgz Bearer mine",
    ]);
    expect(evil.authorizations).toEqual([undefined, undefined]);
    // The same host without encryption is another one.
    const secure = { ...registry, url: url.replace("http:", "https:") };
    await download(secure, { tarball: `${url}a/b.tgz`, integrity }, file);
    expect(asked.at(-1)).toBe("/mirror/a/b.tgz -");
    await new Promise((resolve) => server.close(resolve));
  });
});

describe("the cache of interpreters", () => {
  let cache: string;
  let reports: string[];
  beforeEach(() => {
    cache = path.join(home, "cache");
    reports = [];
    vi.stubEnv("npm_config_registry", good.url);
  });

  const request = (wanted: string, more: Partial<InterpreterRequest> = {}): InterpreterRequest => {
    const workspace = path.join(home, "work");
    mkdirSync(workspace, { recursive: true });
    const target = targetFor(machine, "glibc");
    const report = (line: string) => reports.push(line);
    return { wanted, target, packsLibraries: false, cache, workspace, report, ...more };
  };
  const entries = () => readdirSync(path.join(cache, "node"));
  const entryOf = (version: string) =>
    path.join(cache, "node", entries().find((one) => one.startsWith(`${name}-${version}.`)) ?? "?");
  /** From the registry, not from what the cache has. */
  async function expectMadeAgain(digest: string): Promise<void> {
    const asked = good.asked.length;
    const there = entries().sort();
    expect(await findInterpreter(request(VERSION))).toMatchObject({ digest });
    expect(good.asked.length).toBeGreaterThan(asked);
    expect(reports.some((line) => line.includes("is damaged and is made again"))).toBe(true);
    expect(entries().sort()).toEqual(there);
    const after = good.asked.length;
    expect(await findInterpreter(request(VERSION))).toMatchObject({ digest });
    expect(good.asked).toHaveLength(after);
  }

  test("gives a registry what that registry sent", async () => {
    vi.stubEnv("npm_config_registry", evil.url);
    const fromEvil = await findInterpreter(request(VERSION));
    vi.stubEnv("npm_config_registry", good.url);
    const fromGood = await findInterpreter(request(VERSION));
    expect(fromGood.digest).not.toBe(fromEvil.digest);
    expect(readFileSync(fromGood.licence ?? "", "utf8")).toContain("good");
    expect(entries()).toHaveLength(2);
    vi.stubEnv("npm_config_registry", evil.url);
    expect((await findInterpreter(request(VERSION))).digest).toBe(fromEvil.digest);
    // A range, and a registry that is away: the other one's word does not count then either.
    vi.stubEnv("npm_config_registry", good.url);
    await good.close();
    expect((await findInterpreter(request("24"))).digest).toBe(fromGood.digest);
  });

  test("believes neither another version in the place of one, nor its program alone", async () => {
    await good.publish(name, "24.19.0", nodeOf("old!"));
    const { digest } = await findInterpreter(request(VERSION));
    const old = await findInterpreter(request("24.19.0"));
    const dir = entryOf(VERSION);
    const whole = path.join(home, "whole");
    cpSync(dir, whole, { recursive: true });
    rmSync(dir, { recursive: true });
    cpSync(path.dirname(old.file), dir, { recursive: true });
    await expectMadeAgain(digest);
    cpSync(old.file, path.join(entryOf(VERSION), "node"));
    reports = [];
    await expectMadeAgain(digest);
    // Under a name of its own making, with facts that fit.
    const facts = readFileSync(path.join(path.dirname(old.file), "facts.json"));
    cpSync(old.file, path.join(entryOf(VERSION), "node"));
    writeFileSync(path.join(entryOf(VERSION), "facts.json"), facts);
    reports = [];
    await expectMadeAgain(digest);
  });

  test("believes nothing that was cut or changed", async () => {
    const { digest } = await findInterpreter(request(VERSION));
    const damages: ((dir: string) => void)[] = [
      (dir) => truncateSync(path.join(dir, "node"), 4096),
      (dir) => truncateSync(path.join(dir, "node"), 0),
      (dir) => rmSync(path.join(dir, "node")),
      (dir) => truncateSync(path.join(dir, "facts.json"), 10),
      (dir) => writeFileSync(path.join(dir, "facts.json"), "null"),
      (dir) => writeFileSync(path.join(dir, "LICENSE"), "You may not.\n"),
      (dir) => rmSync(path.join(dir, "LICENSE")),
    ];
    for (const damage of damages) {
      reports = [];
      damage(entryOf(VERSION));
      await expectMadeAgain(digest);
    }
  });

  test("believes of the default only what the builder knows itself", async () => {
    // What fits together, and fits the name of the entry: but not the package of npm.
    await good.publish(name, "24.90.0", nodeOf("evil"));
    await findInterpreter(request("24.90.0"));
    const from = entryOf("24.90.0");
    const { integrity } = JSON.parse(readFileSync(path.join(from, "facts.json"), "utf8"));
    const bytes = readFileSync(path.join(from, "node"));
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const key = createHash("sha256")
      .update(JSON.stringify([name, "24.21.0", "", integrity, sha256]))
      .update(readFileSync(path.join(from, "facts.json")))
      .update(readFileSync(path.join(from, "LICENSE")))
      .digest("hex")
      .slice(0, 32);
    renameSync(from, path.join(cache, "node", `${name}-24.21.0.known.${key}`));
    // So it is asked for, and this registry has none.
    await expect(findInterpreter(request("24.21.0"))).rejects.toMatchObject({
      code: "E_NODE_INTERPRETER",
    });
    expect(entries()).toEqual([]);
    expect(reports.some((line) => line.includes("is damaged"))).toBe(true);
  });

  test("is not believed where others can write", async () => {
    const { digest } = await findInterpreter(request(VERSION));
    const open = [path.join(cache, "node"), cache, home].map((dir) => [dir, 0o777] as const);
    // What others may add is as bad as what they may change.
    for (const [dir, bits] of [...open, [path.join(cache, "node"), 0o1777] as const]) {
      const { mode } = statSync(dir);
      chmodSync(dir, bits);
      const asked = good.asked.length;
      const found = await findInterpreter(request(VERSION));
      expect({ dir, digest: found.digest }).toEqual({ dir, digest });
      expect(found.file).toContain(path.join(home, "work"));
      expect(good.asked.length).toBeGreaterThan(asked);
      expect(reports.at(-1)).toMatch(/^others can change .*; this download is not kept$/);
      chmodSync(dir, mode);
    }
    const asked = good.asked.length;
    expect((await findInterpreter(request(VERSION))).file).toContain(cache);
    expect(good.asked).toHaveLength(asked);
  });

  skipUnless("root")("is not believed when it belongs to somebody else", async () => {
    const { digest } = await findInterpreter(request(VERSION));
    const { uid } = ordinaryUser();
    const asked = good.asked.length;
    chownSync(path.join(cache, "node"), uid, uid);
    expect(await findInterpreter(request(VERSION))).toMatchObject({ digest });
    expect(good.asked.length).toBeGreaterThan(asked);
  });
});

describe("the cache of compressed blocks", () => {
  const block = 131_072;
  const pattern = (seed: number) =>
    Buffer.from(Array.from({ length: 5 * block + 77 }, (_, i) => ((i * seed) >> 4) % 251));

  async function setUp() {
    const dir = temporaryDirectory();
    const blockCache = path.join(dir, "cache");
    let count = 0;
    const write = async (contents: Buffer, kept = true) => {
      const file = path.join(dir, `file-${count}`);
      writeFileSync(file, contents);
      const { dev, ino, mtimeNs, ctimeNs, size } = statSync(file, { bigint: true });
      const digest = createHash("sha256").update(contents).digest("hex");
      const identity = { dev, ino, mtimeNs, ctimeNs };
      const tree = new Tree();
      tree.add(
        "f",
        fileNode({ from: "disk", folder: file, name: "", size: Number(size), identity, digest }),
      );
      const image = path.join(dir, `${count++}.sfs`);
      await writeSquashfs(tree, { path: image }, kept ? { blockCache } : {});
      return readFileSync(image).toString("base64");
    };
    const kept = () => readdirSync(blockCache).map((one) => path.join(blockCache, one));
    return { write, kept, blockCache };
  }
  const bytesOf = (blocks: Buffer, { offset, sizeWord }: KeptRow) =>
    blocks.subarray(Number(offset), Number(offset) + sizeWord);
  /** Changes a file, with the checks that the cache itself would write. */
  const forge = (file: string, change: (blocks: Buffer, rows: KeptRow[]) => Buffer | undefined) => {
    const before = readFileSync(file);
    const { blocks, rows } = readKept(before);
    expect(writeKept(file, blocks, rows).equals(before)).toBe(true);
    expect(checkOf(bytesOf(blocks, rows[0] as KeptRow))).toBe(rows[0]?.check);
    const changed = change(blocks, rows) ?? blocks;
    writeFileSync(file, writeKept(file, changed, rows));
  };
  /** Puts other bytes in the place of the first block. */
  const replaced = (blocks: Buffer, rows: KeptRow[], bytes: Buffer) => {
    const [first] = rows;
    if (first !== undefined) {
      rows[0] = {
        ...first,
        offset: BigInt(blocks.length),
        sizeWord: bytes.length,
        check: checkOf(bytes),
      };
    }
    return Buffer.concat([blocks, bytes]);
  };

  test("gives no file the blocks of another", async () => {
    const { write, kept } = await setUp();
    const plain = await write(pattern(7), false);
    await write(pattern(11));
    const [other = ""] = kept();
    const { blocks, rows } = readKept(readFileSync(other));
    const [stranger] = rows;
    if (stranger === undefined) return expect.fail("no block");
    await write(pattern(7));
    const [own = ""] = kept().filter((file) => file !== other);
    // Under the name of the right one, whole: what it holds is looked at.
    forge(own, (held, all) => replaced(held, all, bytesOf(blocks, stranger)));
    for (let i = 0; i < 2; i++) expect(await write(pattern(7))).toBe(plain);
  });

  test("gives no image a block that is no block", async () => {
    const { write, kept } = await setUp();
    const contents = pattern(7);
    const plain = await write(contents, false);
    await write(contents);
    const [file = ""] = kept();
    const whole = readFileSync(file);
    const forgeries: Record<string, (blocks: Buffer, rows: KeptRow[]) => Buffer | undefined> = {
      "bytes of nothing": (blocks, rows) => replaced(blocks, rows, Buffer.alloc(64, 0xff)),
      "no bytes": (blocks, rows) => replaced(blocks, rows, Buffer.alloc(0)),
      // Of which an image would cut off the end.
      "a frame without its checksum": (blocks, rows) => {
        const frame = Buffer.from(bytesOf(blocks, rows[0] as KeptRow).subarray(0, -4));
        frame.writeUInt8(frame.readUInt8(4) & ~4, 4);
        return replaced(blocks, rows, frame);
      },
      "one that lies outside": (_, rows) => {
        for (const row of rows) row.offset += 2n ** 40n;
        return undefined;
      },
      "one that is said to be stored": (_, rows) => {
        for (const row of rows) row.sizeWord = row.contents | (1 << 24);
        return undefined;
      },
      "contents of another size": (_, rows) => {
        for (const row of rows) row.contents += 4096;
        return undefined;
      },
    };
    for (const [what, forgery] of Object.entries(forgeries)) {
      for (const one of kept()) rmSync(one);
      writeFileSync(file, whole);
      forge(file, forgery);
      for (let i = 0; i < 2; i++) expect([what, await write(contents)]).toEqual([what, plain]);
    }
  });

  test("is not used where others can write", async () => {
    const { write, kept, blockCache } = await setUp();
    const contents = pattern(7);
    const plain = await write(contents, false);
    await write(contents);
    const [file = ""] = kept();
    const before = readFileSync(file);
    for (const bits of [0o777, 0o1777]) {
      chmodSync(blockCache, bits);
      expect(await write(contents)).toBe(plain);
      // What is new is not kept there either.
      expect(await write(pattern(11))).toBe(await write(pattern(11), false));
      expect(readFileSync(file).equals(before)).toBe(true);
      expect(kept()).toEqual([file]);
    }
  });
});
