// The first script of a machine, in a root directory of its own, with a bundle that is really offered.
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import http from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeAll, expect, test } from "vitest";
import { addressTowards, offer } from "../../builder/deploy/serve.ts";
import {
  type GuestBundle,
  guestManifest,
  healthCommand,
  scriptFailure,
  startScript,
  stopCommand,
  tailCommand,
} from "../../builder/engines/fuse/guest.ts";
import { hostArchitecture } from "../../builder/host/paths.ts";
import { helloBundle } from "../support/hello-bundle.ts";
import { skipUnless } from "../support/needs.ts";
import { run } from "../support/process.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** Says what it was given, and lives until it is asked to end. */
const APP = `#!/bin/sh
printf '%s|' "$@" "$MODE" "$TOKEN"; echo
trap 'echo ended; exit 0' TERM
while [ ! -e /stop ]; do sleep 0.1; done
`;

let bundle: { file: string; sha256: string };
let size = 0;
beforeAll(async () => {
  bundle = await helloBundle(APP);
  size = readFileSync(bundle.file).length;
});

const all = [
  "sh",
  "cat",
  "tail",
  "head",
  "wc",
  "grep",
  "uname",
  "mkdir",
  "chmod",
  "rm",
  "mv",
  "echo",
];
const programs = [...all, "nohup", "setsid", "sleep", "kill", "sha256sum"];

/** A root directory of the machine's, with these programs of this system. */
function machine(tools: readonly string[] = [...programs, "curl"]) {
  const root = temporaryDirectory();
  for (const dir of ["usr", "tools", "fuse", "var/lib", "tmp", "proc", "dev", "etc"]) {
    mkdirSync(path.join(root, dir), { recursive: true });
  }
  for (const dir of ["bin", "lib", "lib64"]) symlinkSync(`usr/${dir}`, path.join(root, dir));
  for (const tool of tools) symlinkSync(`/usr/bin/${tool}`, path.join(root, "tools", tool));
  const sh = (command: readonly string[]) => {
    const system = [
      "--bind",
      root,
      "/",
      "--ro-bind",
      "/usr",
      "/usr",
      "--proc",
      "/proc",
      "--dev",
      "/dev",
    ];
    const env = [
      "--clearenv",
      "--setenv",
      "PATH",
      "/tools",
      "--setenv",
      "FUSELAGE_MOUNT",
      "extract",
    ];
    return run("bwrap", [...system, ...env, ...command]);
  };
  closers.push(async () => {
    writeFileSync(path.join(root, "stop"), "");
    await sleep(300);
  });
  return { root, folder: path.join(root, "var/lib/fuselage/web"), sh };
}

const guest = (url: string, more: Partial<GuestBundle> = {}): GuestBundle => ({
  name: "web",
  url,
  sha256: bundle.sha256,
  size,
  arch: hostArchitecture() ?? "",
  args: ["a 'b'", "$(touch /hurt)", "-n"],
  ...more,
});

const script = (one: GuestBundle): string[] => ["sh", "-lc", startScript(one)];

async function offered() {
  const one = await offer({ ...bundle, size, host: "127.0.0.1", port: 0 });
  closers.push(() => one.close());
  return one;
}

/** Something else at an address. */
async function other(respond: (response: http.ServerResponse) => void): Promise<string> {
  const server = http.createServer((_, response) => respond(response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(() => server.close().closeAllConnections());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

skipUnless("bwrap", "curl")(
  "a machine fetches, checks and starts the bundle with what it was given",
  async () => {
    const { root, folder, sh } = machine();
    writeFileSync(path.join(root, "fuse/env"), "MODE='it'\\''s'\nTOKEN='s3cr3t'\n");
    const { url } = await offered();
    const done = await sh(script(guest(url)));
    expect(done).toMatchObject({ status: 0, stdout: "", stderr: "" });
    expect(readFileSync(path.join(folder, "log"), "utf8")).toBe(
      "a 'b'|$(touch /hurt)|-n|it's|s3cr3t|\n",
    );
    expect(readdirSync(root)).not.toContain("hurt");
    expect(readdirSync(folder).sort()).toEqual(["app", "digest", "log", "pid"]);
    expect(readFileSync(path.join(folder, "digest"), "utf8").trim()).toBe(bundle.sha256);
    expect((await sh(healthCommand("web", []))).status).toBe(0);
    expect((await sh(healthCommand("web", [1]))).status).not.toBe(0);
    expect((await sh(tailCommand("web", 1, 1000))).stdout).toMatch(/^\d+\na 'b'/);
    expect((await sh(stopCommand("web", 10))).status).toBe(0);
    expect(readFileSync(path.join(folder, "log"), "utf8")).toMatch(/\nended\n$/);
    expect((await sh(healthCommand("web", []))).status).not.toBe(0);
    expect((await sh(stopCommand("web", 1))).status).toBe(0);
  },
);

skipUnless("bwrap", "curl")("the app is healthy when it listens on what is exposed", async () => {
  const { folder, sh } = machine();
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, "pid"), `${process.pid}\n`);
  for (const host of ["127.0.0.1", "::1"]) {
    const server = http.createServer();
    await new Promise<void>((resolve) => server.listen(0, host, resolve));
    const { port } = server.address() as AddressInfo;
    expect((await sh(healthCommand("web", [port]))).status).toBe(0);
    await new Promise((resolve) => server.close(resolve));
    expect((await sh(healthCommand("web", [port]))).status).not.toBe(0);
  }
});

for (const tool of ["wget", "python3"] as const) {
  skipUnless("bwrap", tool)(`a machine that has ${tool} alone fetches with it`, async () => {
    const { folder, sh } = machine([...programs, tool]);
    const { url, sent } = await offered();
    const done = await sh(script(guest(url)));
    expect(done).toMatchObject({ status: 0, stderr: "" });
    expect(sent()).toBe(size);
    expect(readdirSync(folder)).toContain("app");
  });
}

skipUnless("bwrap", "curl")("what is not the bundle is neither kept nor started", async () => {
  const { folder, sh } = machine();
  const wrong = await sh(script(guest(await other((response) => response.end("another")))));
  expect(scriptFailure(wrong.status ?? 0)).toContain("another sha256");
  expect(wrong.stderr).toContain(`another sha256 than ${bundle.sha256}`);
  const missing = await sh(script(guest(await other((response) => response.writeHead(404).end()))));
  expect(missing.stderr).toContain("the bundle cannot be fetched");
  expect(scriptFailure(missing.status ?? 0)).toContain("cannot fetch the bundle");
  const endless = await other((response) => {
    const more = (): void => {
      while (!response.destroyed && response.write("x".repeat(1 << 20)));
    };
    response.on("drain", more);
    more();
  });
  expect((await sh(script(guest(endless)))).stderr).toContain("the bundle cannot be fetched");
  const { url } = await offered();
  const foreign = await sh(script(guest(url, { arch: "s390x" })));
  expect(foreign.stderr).toContain("the bundle is for s390x, and this machine is");
  const bare = machine(programs);
  const without = await bare.sh(script(guest(url)));
  expect(without.stderr).toContain("neither curl nor wget nor python3");
  expect(scriptFailure(without.status ?? 0)).toContain("neither curl nor wget nor python3");
  expect(readdirSync(folder)).toEqual([]);
});

skipUnless("bwrap", "curl")(
  "an app that fails at once fails the script, with its last words",
  async () => {
    const { sh } = machine();
    const broken = await helloBundle("#!/bin/sh\necho no such table >&2\nexit 7\n");
    const length = readFileSync(broken.file).length;
    const one = await offer({ ...broken, size: length, host: "127.0.0.1", port: 0 });
    closers.push(() => one.close());
    const failed = await sh(script(guest(one.url, { sha256: broken.sha256, size: length })));
    expect(scriptFailure(failed.status ?? 0)).toContain("failed within a second");
    expect(failed.stderr).toBe("the app has ended with status 7\nno such table\n");
  },
);

test("an offer is one file at one address, in parts too, and not for ever", async () => {
  const { url, sent } = await offered();
  const bytes = readFileSync(bundle.file);
  const get = (headers: Record<string, string> = {}, at = url, method = "GET") =>
    fetch(at, { headers, method });
  const whole = await get();
  expect(Buffer.from(await whole.arrayBuffer()).equals(bytes)).toBe(true);
  const digest = Buffer.from(bundle.sha256, "hex").toString("base64");
  expect(whole.headers.get("repr-digest")).toBe(`sha-256=:${digest}:`);
  const parts: [string, Buffer][] = [
    ["bytes=0-9", bytes.subarray(0, 10)],
    ["bytes=10-", bytes.subarray(10)],
    ["bytes=-5", bytes.subarray(-5)],
    [`bytes=5-${size * 2}`, bytes.subarray(5)],
  ];
  for (const [range, wanted] of parts) {
    const part = await get({ range });
    expect(part.status).toBe(206);
    expect(Buffer.from(await part.arrayBuffer()).equals(wanted)).toBe(true);
  }
  expect((await get({ range: `bytes=${size}-` })).status).toBe(416);
  for (const range of ["bytes=9-5", "bytes=-0"]) expect((await get({ range })).status).toBe(416);
  expect((await get({}, new URL("/", url).href)).status).toBe(404);
  expect((await get({}, `${url}x`)).status).toBe(404);
  expect((await get({}, `${url}?a`)).status).toBe(404);
  expect((await get({}, url, "POST")).status).toBe(405);
  const head = await get({}, url, "HEAD");
  expect(head.headers.get("content-length")).toBe(`${size}`);
  let status = 200;
  for (let turns = 0; turns < 4 && status === 200; turns++) {
    const again = await get();
    status = again.status;
    await again.arrayBuffer();
  }
  expect(status).toBe(410);
  expect(sent()).toBeLessThanOrEqual(size * 4);
});

test("this machine's address towards an engine is one that the engine sees", async () => {
  const seen: (string | undefined)[] = [];
  const server = http.createServer();
  server.on("connection", ({ remoteAddress }) => seen.push(remoteAddress));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(() => server.close());
  const { port } = server.address() as AddressInfo;
  expect(await addressTowards(new URL(`http://127.0.0.1:${port}`))).toBe("127.0.0.1");
  expect(seen).toEqual(["127.0.0.1"]);
});

test("what is secret is in a manifest by its name alone", () => {
  const text = guestManifest(
    new Map([
      ["A", '"'],
      ["__proto__", "b"],
    ]),
    ["TOKEN"],
  );
  expect(JSON.parse(text).machine.env).toEqual(
    JSON.parse('{"A":{"value":"\\""},"__proto__":{"value":"b"},"TOKEN":{"secret":"TOKEN"}}'),
  );
});
