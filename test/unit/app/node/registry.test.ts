/** Downloads from a registry that is slow, silent, or breaks off. */
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import http from "node:http";
import path from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import { configuredRegistry, download } from "../../../../builder/app/node/registry.ts";
import { startProxy } from "../../../support/docker-registry.ts";
import { temporaryDirectory } from "../../../support/temporary.ts";

const PIECE = Buffer.alloc(1000, "a");
const PIECES = 12;
const whole = Buffer.alloc(PIECE.length * PIECES, "a");
const integrity = `sha512-${createHash("sha512").update(whole).digest("base64")}`;

let server: http.Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

/** Sends pieces, one each `pause` ms, and after `count` of them says nothing more, or ends. */
async function slow(pause: number, count = PIECES, head = {}): Promise<string> {
  server = http.createServer((_, response) => {
    response.writeHead(200, head);
    let sent = 0;
    const timer = setInterval(() => {
      if (sent < count) response.write(PIECE);
      sent++;
      if (sent === PIECES && count === PIECES) response.end();
      if (sent >= PIECES) clearInterval(timer);
    }, pause);
  });
  await new Promise<void>((resolve) => server?.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}/`;
}

const fetchFrom = async (url: string, options: Parameters<typeof download>[3]) => {
  const file = path.join(temporaryDirectory(), "a.tgz");
  const published = { tarball: `${url}a.tgz`, integrity };
  const done = download({ url, authorization: undefined }, published, file, options);
  return { file, done };
};

test("one that takes longer than the patience goes on while bytes come", async () => {
  // Longer than a busy machine lets anyone wait for a piece, and shorter than all of them take.
  const { file, done } = await fetchFrom(await slow(450), { patience: 5000 });
  await done;
  expect(readFileSync(file).equals(whole)).toBe(true);
});

test("one that falls silent is given up, and nothing is left of it", async () => {
  const { file, done } = await fetchFrom(await slow(10, 3), { patience: 300 });
  await expect(done).rejects.toMatchObject({ name: "TimeoutError" });
  expect(existsSync(file)).toBe(false);
});

test("how far it is is told, of how much where the registry says that", async () => {
  for (const [head, total] of [
    [{ "content-length": whole.length }, whole.length],
    [{}, undefined],
  ] as const) {
    const told: [number, number | undefined][] = [];
    const onProgress = (bytes: number, all: number | undefined) => void told.push([bytes, all]);
    const url = await slow(20, PIECES, head);
    const { done } = await fetchFrom(url, { patience: 5000, every: 30, onProgress });
    await done;
    server?.close();
    expect(told.length).toBeGreaterThan(1);
    expect(told.map(([bytes]) => bytes)).toEqual(
      told.map(([bytes]) => bytes).sort((a, b) => a - b),
    );
    for (const [bytes, all] of told) {
      expect(bytes).toBeLessThanOrEqual(whole.length);
      expect(all).toBe(total);
    }
  }
});

test("a short one says nothing", async () => {
  const told: number[] = [];
  const { done } = await fetchFrom(await slow(1), { onProgress: (bytes) => void told.push(bytes) });
  await done;
  expect(told).toEqual([]);
});

describe("through a proxy", () => {
  const nowhere = "http://registry.invalid/";
  afterEach(() => vi.unstubAllEnvs());

  test.each([
    ["the variable that every program knows", (url: string) => vi.stubEnv("HTTP_PROXY", url)],
    ["a variable of npm's", (url: string) => vi.stubEnv("npm_config_https_proxy", url)],
    ["npm's configuration", (url: string) => vi.stubEnv("npm_config_userconfig", npmrc(url))],
  ])("that is named by %s", async (_, name) => {
    const proxy = await startProxy(new URL(await slow(1)).host);
    name(proxy.url);
    vi.stubEnv("npm_config_registry", nowhere);
    const file = path.join(temporaryDirectory(), "a.tgz");
    await download(configuredRegistry(), { tarball: `${nowhere}a.tgz`, integrity }, file);
    expect(readFileSync(file).equals(whole)).toBe(true);
    expect(proxy.asked).toEqual(["registry.invalid:80"]);
  });

  test("but this machine is asked without one", async () => {
    const url = await slow(1);
    const proxy = await startProxy(new URL(url).host);
    vi.stubEnv("HTTP_PROXY", proxy.url);
    const { done } = await fetchFrom(url, {});
    await done;
    expect(proxy.asked).toEqual([]);
  });

  function npmrc(url: string): string {
    const file = path.join(temporaryDirectory(), "npmrc");
    writeFileSync(file, `proxy=${url}\n`);
    return file;
  }
});
