/** Images in a real registry, beside what skopeo and umoci make of the same ones. */
import { execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { parseRegistryName } from "../../builder/oci/reference.ts";
import { openRegistrySink } from "../../builder/oci/registry/sink.ts";
import type { Descriptor } from "../../builder/oci/store.ts";
import {
  type DockerRegistry,
  PASSWORD,
  startCutter,
  startDockerRegistry,
  startProxy,
  USER,
} from "../support/docker-registry.ts";
import { ImageRegistry, sha256 } from "../support/image-registry.ts";
import { skipUnless } from "../support/needs.ts";
import { blobFile, imageOf } from "../support/oci.ts";
import { asUser, type Outcome, root, run } from "../support/process.ts";
import { temporaryDirectory, userDirectory } from "../support/temporary.ts";

const realRegistry = skipUnless("dockerRegistry", "skopeo", "umoci", "openssl");
let dir: string;

const MOUNT_POINTS = [
  ...["/dev", "/proc", "/run", "/sys", "/tmp"],
  ...["/etc/hostname", "/etc/hosts", "/etc/resolv.conf"],
];

/** An image of two layers in a layout: the second changes and removes what the first has. */
function makeLayout(): void {
  const umoci = (...args: string[]) => execFileSync("umoci", args, { cwd: dir, stdio: "pipe" });
  umoci("init", "--layout", "layout");
  umoci("new", "--image", "layout:1.0");
  umoci("config", "--image", "layout:1.0", "--config.entrypoint", "/bin/hello");
  umoci("unpack", "--rootless", "--image", "layout:1.0", "made");
  const files = path.join(dir, "made/rootfs");
  mkdirSync(path.join(files, "bin"), { recursive: true });
  mkdirSync(path.join(files, "etc/old"), { recursive: true });
  writeFileSync(path.join(files, "etc/old/file"), "old");
  // Several pieces of any connection.
  writeFileSync(path.join(files, "etc/large"), randomBytes(3 << 20));
  writeFileSync(path.join(files, "bin/hello"), "#!/bin/sh\necho hello\n");
  chmodSync(path.join(files, "bin/hello"), 0o4755);
  symlinkSync("hello", path.join(files, "bin/link"));
  umoci("repack", "--refresh-bundle", "--image", "layout:1.0", "made");
  writeFileSync(path.join(files, "etc/new"), "new");
  rmSync(path.join(files, "etc/old"), { recursive: true });
  umoci("repack", "--image", "layout:1.0", "made");
}

beforeAll(() => {
  dir = temporaryDirectory();
  try {
    makeLayout();
  } catch {
    // Without umoci the tests are skipped, or fail where they must not be.
  }
});

/** It may say what takes long. */
function expectSilence({ status, stderr }: Outcome): void {
  expect(stderr).not.toMatch(/\[[EW]_/);
  expect(status).toBe(0);
}

/** Not while nothing else goes on: it may want a token of ours. */
async function skopeo(...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await run("skopeo", args, { cwd: dir });
  expect(stderr).toBe("");
  expect(status).toBe(0);
  return stdout.trim();
}

async function push(registry: DockerRegistry, name: string): Promise<void> {
  const login = ["--dest-creds", `${USER}:${PASSWORD}`, "--dest-tls-verify=false"];
  await skopeo("copy", "--quiet", ...login, "oci:layout:1.0", `docker://${registry.host}/${name}`);
}

function bundle(args: readonly string[], env: Record<string, string> = {}): Promise<Outcome> {
  const own = {
    XDG_CACHE_HOME: path.join(dir, "cache"),
    REGISTRY_AUTH_FILE: path.join(dir, "auth.json"),
  };
  const main = path.join(root, "dist/cli/main.js");
  return run(process.execPath, [main, ...args], {
    cwd: dir,
    env: { ...own, ...env },
  });
}

const logIn = (host: string, password = PASSWORD) => {
  const auth = Buffer.from(`${USER}:${password}`).toString("base64");
  writeFileSync(path.join(dir, "auth.json"), JSON.stringify({ auths: { [host]: { auth } } }));
};

/** What umoci makes of the layout. */
function unpackedLayout(): string {
  const bundle = path.join(temporaryDirectory(), "bundle");
  execFileSync("umoci", ["unpack", "--rootless", "--image", "layout:1.0", bundle], { cwd: dir });
  return path.join(bundle, "rootfs");
}

async function dumpOf(input: string): Promise<string[]> {
  const { status, stdout, stderr } = await bundle(["dump", input]);
  expect(stderr).toBe("");
  expect(status).toBe(0);
  return stdout.trimEnd().split("\n");
}

describe("an image of a registry", () => {
  realRegistry(
    "with a password and a certificate of its own authority is what umoci unpacks",
    async () => {
      const registry = await startDockerRegistry({ tls: true, auth: "password" });
      await push(registry, "team/app:1.0");
      const source = `docker://${registry.host}/team/app:1.0`;
      const env = { NODE_EXTRA_CA_CERTS: registry.ca };
      const build = ["build", source, "-o", "app.run"];

      const untrusted = await bundle(build, { NODE_EXTRA_CA_CERTS: "" });
      expect(untrusted.stderr).toContain("E_REGISTRY_UNREACHABLE");
      const stranger = await bundle(build, env);
      expect(stranger.stderr).toContain("E_REGISTRY_AUTH");
      logIn(registry.host, "wrong");
      expect((await bundle(build, env)).stderr).toContain("E_REGISTRY_AUTH");

      logIn(registry.host);
      const built = await bundle(build, env);
      expectSilence(built);
      await skopeo("copy", "--quiet", "oci:layout:1.0", "oci:again:1.0");
      execFileSync("umoci", ["unpack", "--rootless", "--image", "again:1.0", "unpacked"], {
        cwd: dir,
      });
      const [ours, theirs] = [await dumpOf("app.run"), await dumpOf("unpacked/rootfs")];
      expect(theirs.some((line) => line.startsWith("/etc/large file"))).toBe(true);
      expect(theirs.some((line) => line.startsWith("/etc/old"))).toBe(false);
      expect(theirs.filter((line) => !ours.includes(line))).toEqual([]);
      // What an image is completed with, so that it can be the root.
      const added = ours.filter((line) => !theirs.includes(line)).map((line) => line.split(" ")[0]);
      expect(added.filter((name) => !MOUNT_POINTS.includes(name ?? ""))).toEqual([]);

      const digest = await skopeo("inspect", "--format", "{{.Digest}}", "oci:layout:1.0");
      const inspected = await bundle(["inspect", "app.run"]);
      expect(inspected.stdout).toContain(`docker://${registry.host}/team/app@${digest}`);

      await registry.stop();
      const away = await bundle(["build", source, "-o", "away.run"], env);
      expect(away.stderr).toContain("W_REGISTRY_CACHED");
      expect(
        readFileSync(path.join(dir, "away.run")).equals(readFileSync(path.join(dir, "app.run"))),
      ).toBe(true);
      const offline = await bundle(["build", source, "-o", "offline.run", "--offline"], env);
      expectSilence(offline);
      expect(
        readFileSync(path.join(dir, "offline.run")).equals(readFileSync(path.join(dir, "app.run"))),
      ).toBe(true);
    },
  );

  realRegistry(
    "that wants tokens is read by anyone, and not by who has a wrong password",
    async () => {
      const registry = await startDockerRegistry({ auth: "token" });
      await push(registry, "team/app:1.0");
      registry.tokens.length = 0;
      const source = `docker://${registry.host}/team/app:1.0`;
      logIn("elsewhere.example");
      const built = await bundle(["build", source, "-o", "token.run", "--no-cache"]);
      expectSilence(built);
      // One token does for all: the tag, the config, the layers at once.
      expect(registry.tokens).toEqual([{ scopes: ["repository:team/app:pull"], isUser: false }]);
      logIn(registry.host, "wrong");
      const refused = await bundle(["build", source, "-o", "no.run", "--no-cache"]);
      expect(refused.stderr).toContain("E_REGISTRY_AUTH");
      expect(refused.stderr).toContain("auth.json");
      expect(existsSync(path.join(dir, "no.run"))).toBe(false);
      await registry.stop();
    },
  );

  realRegistry(
    "many builds at once fetch, and share one cache, and a mirror is asked first",
    async () => {
      const registry = await startDockerRegistry();
      await push(registry, "mirrored/team/app:1.0");
      const env = { XDG_CACHE_HOME: path.join(dir, "shared") };
      const mirror = ["--mirror", `registry.invalid=${registry.host}/mirrored`];
      const source = "docker://registry.invalid/team/app:1.0";
      const outputs = [1, 2, 3, 4].map((i) => `many-${i}.run`);
      const all = await Promise.all(
        outputs.map((output) => bundle(["build", source, "-o", output, ...mirror], env)),
      );
      for (const one of all) expectSilence(one);
      const [first, ...others] = outputs.map((output) => readFileSync(path.join(dir, output)));
      expect(others.every((bytes) => first?.equals(bytes))).toBe(true);
      const names = readdirSync(path.join(dir, "shared/fuselage-bundle/images"));
      expect(
        names.filter((name) => !/^(sha256-[0-9a-f]{64}|tag-[0-9a-f]{64})$/.test(name)),
      ).toEqual([]);
      const info = JSON.parse((await bundle(["cache", "info", "--json"], env)).stdout);
      const images = info.parts.find(({ name }: { name: string }) => name === "images");
      expect(images).toMatchObject({ files: names.length, limit: expect.any(Number) });
      await bundle(["cache", "clear"], env);
      const offline = await bundle(
        ["build", source, "-o", "none.run", "--offline", ...mirror],
        env,
      );
      expect(offline.stderr).toContain("E_REGISTRY_OFFLINE");
      await registry.stop();
    },
  );
});

describe("registries.conf", () => {
  realRegistry(
    "names a mirror, one that fails makes way, and one that is blocked is not asked",
    async () => {
      const registry = await startDockerRegistry();
      await push(registry, "mirrored/team/app:1.0");
      const conf = path.join(dir, "registries.conf");
      const env = { XDG_CACHE_HOME: path.join(dir, "by-conf"), CONTAINERS_REGISTRIES_CONF: conf };
      const build = ["build", "docker://registry.invalid/team/app:1.0", "-o", "conf.run"];
      const mirrors = ["localhost:1/none", `${registry.host}/nothing`, `${registry.host}/mirrored`];
      const tables = mirrors.map((location) => `[[registry.mirror]]\nlocation = "${location}"`);
      const rule = '[[registry]]\nlocation = "registry.invalid"';
      writeFileSync(conf, [rule, ...tables].join("\n"));
      expectSilence(await bundle(build, env));
      expect(await dumpOf("conf.run")).toContainEqual(expect.stringMatching(/^\/etc\/large file/));
      await bundle(["cache", "clear"], env);

      writeFileSync(conf, `${rule}\nblocked = true`);
      rmSync(path.join(dir, "conf.run"));
      const blocked = await bundle(build, env);
      expect(blocked.stderr).toContain("E_REGISTRY_BLOCKED");
      expect(blocked.stderr).toContain(conf);
      writeFileSync(conf, "registry = 1");
      expect((await bundle(build, env)).stderr).toContain("E_REGISTRY_CONFIG");
      expect(existsSync(path.join(dir, "conf.run"))).toBe(false);
      await registry.stop();
    },
  );
});

describe("the way to a registry", () => {
  realRegistry("leads through a proxy, and its authority has a folder", async () => {
    const registry = await startDockerRegistry({ tls: true });
    await push(registry, "team/app:1.0");
    const proxy = await startProxy(registry.host);
    const home = temporaryDirectory();
    const folder = path.join(home, ".config/containers/certs.d/registry.invalid");
    mkdirSync(folder, { recursive: true });
    copyFileSync(registry.ca, path.join(folder, "own.crt"));
    const env = { HOME: home, HTTPS_PROXY: proxy.url, XDG_CACHE_HOME: `${home}/cache` };
    const build = ["build", "docker://registry.invalid/team/app:1.0", "-o", "proxy.run"];
    expectSilence(await bundle(build, env));
    expect(new Set(proxy.asked)).toEqual(new Set(["registry.invalid:443"]));
    const without = await bundle(build, {
      ...env,
      NO_PROXY: ".invalid",
      XDG_CACHE_HOME: `${home}/other`,
    });
    expect(without.stderr).toContain("E_REGISTRY_UNREACHABLE");
    await proxy.close();
    await registry.stop();
  });

  realRegistry("is cut again and again, and a layer goes on where it was", async () => {
    const registry = await startDockerRegistry();
    await push(registry, "team/app:1.0");
    const cutter = await startCutter(registry.host, 1 << 20, 3);
    const env = { XDG_CACHE_HOME: temporaryDirectory() };
    const build = (host: string, output: string) =>
      bundle(["build", `docker://${host}/team/app:1.0`, "--name", "app", "-o", output], env);
    expectSilence(await build(cutter.host, "cut.run"));
    expect(cutter.left()).toBe(0);
    const [cut, whole] = [await dumpOf("cut.run"), await dumpOf(unpackedLayout())];
    expect(whole.filter((line) => !cut.includes(line))).toEqual([]);
    cutter.close();
    await registry.stop();
  });

  realRegistry("is an ordinary user's too, with a cache of their own", async () => {
    const registry = await startDockerRegistry();
    await push(registry, "team/app:1.0");
    const home = userDirectory();
    const main = path.join(root, "dist/cli/main.js");
    const source = `docker://${registry.host}/team/app:1.0`;
    const env = { XDG_CACHE_HOME: undefined, XDG_RUNTIME_DIR: undefined };
    const options = { cwd: home, env };
    const built = await asUser(
      process.execPath,
      [main, "build", source, "-o", "app.run"],
      home,
      options,
    );
    expectSilence(built);
    const kept = readdirSync(path.join(home, ".cache/fuselage-bundle/images"));
    expect(kept.length).toBe(5); // the tag, the manifest, the config, two layers
    await registry.stop();
  });
});

describe("a registry that lies or is left", () => {
  let registry: ImageRegistry;
  let cache: string;

  beforeEach(async () => {
    registry = await new ImageRegistry().start();
    cache = temporaryDirectory();
  });
  afterEach(() => registry.close());

  const images = () => {
    const folder = path.join(cache, "fuselage-bundle/images");
    return existsSync(folder) ? readdirSync(folder) : [];
  };

  test.each([
    ["E_OCI_DIGEST", (layer: Buffer) => Buffer.alloc(layer.length)],
    ["E_OCI_SIZE", (layer: Buffer) => Buffer.concat([layer, layer])],
    ["E_OCI_SIZE", (layer: Buffer) => layer.subarray(1)],
  ])("is named, %s, and nothing is there afterwards", async (code, lie) => {
    const layer = randomBytes(100_000);
    const { layers } = registry.putImage("latest", layer);
    registry.blobs.set(layers[0]?.digest ?? "", lie(layer));
    const source = `docker://${registry.host}/app`;
    const built = await bundle(["build", source, "-o", "lie.run"], { XDG_CACHE_HOME: cache });
    expect(built.status).toBe(1);
    expect(built.stderr).toContain(`[${code}]`);
    expect(built.stderr).toContain(source);
    expect(existsSync(path.join(dir, "lie.run"))).toBe(false);
    expect(images().filter((name) => name.includes("tmp"))).toEqual([]);
    expect(images()).not.toContain(layers[0]?.digest.replace(":", "-"));
  });

  test("keeps nothing of a build that a signal ends", async () => {
    const layer = randomBytes(100_000);
    registry.putImage("latest", layer);
    registry.tricks.push(({ url = "" }, response) => {
      if (!url.includes(sha256(layer))) return false;
      response.writeHead(200, { "content-length": layer.length });
      response.write(layer.subarray(0, 50_000));
      return true;
    });
    const main = path.join(root, "dist/cli/main.js");
    const args = [main, "build", `docker://${registry.host}/app`, "-o", "ended.run"];
    const env = { ...process.env, XDG_CACHE_HOME: cache };
    const child = spawn(process.execPath, args, { cwd: dir, env, stdio: "ignore" });
    const ended = new Promise((resolve) => child.once("exit", (_, signal) => resolve(signal)));
    await expect.poll(() => images().some((name) => name.endsWith(".tmp"))).toBe(true);
    child.kill("SIGTERM");
    expect(await ended).toBe("SIGTERM");
    expect(images().filter((name) => name.endsWith(".tmp"))).toEqual([]);
    expect(existsSync(path.join(dir, "ended.run"))).toBe(false);
  });
});

describe("an image to a registry", () => {
  const write = async (registry: DockerRegistry, name: string, from: string[]) => {
    const reference = parseRegistryName(`${registry.host}/${name}`);
    if (reference === undefined) throw new Error("this is no name");
    const sink = openRegistrySink(reference, { chunkSize: 1 << 20 });
    const layout = path.join(dir, "layout");
    const root = imageOf(layout, "1.0").descriptor as Descriptor;
    const bytes = readFileSync(blobFile(layout, root.digest));
    const { config, layers } = JSON.parse(bytes.toString());
    try {
      const written: string[] = [];
      for (const one of [config, ...layers] as Descriptor[]) {
        const region = { path: blobFile(layout, one.digest), offset: 0, size: one.size };
        written.push(await sink.blob(one, region, from));
      }
      await sink.manifest(root.mediaType, bytes, ["1.0", "latest"]);
      return written;
    } finally {
      await sink.close();
    }
  };

  realRegistry(
    "is sent once, then there, and in another repository mounted; skopeo reads it",
    async () => {
      const registry = await startDockerRegistry({ auth: "token" });
      logIn(registry.host);
      const before = process.env["REGISTRY_AUTH_FILE"];
      process.env["REGISTRY_AUTH_FILE"] = path.join(dir, "auth.json");
      try {
        expect(await write(registry, "a/app", [])).toEqual(["written", "written", "written"]);
        expect(await write(registry, "a/app", [])).toEqual(["present", "present", "present"]);
        expect(await write(registry, "b/app", ["a/app"])).toEqual([
          "mounted",
          "mounted",
          "mounted",
        ]);
        logIn("elsewhere.example");
        await expect(write(registry, "c/app", [])).rejects.toThrow(
          expect.objectContaining({ code: "E_REGISTRY_AUTH" }),
        );
      } finally {
        if (before === undefined) delete process.env["REGISTRY_AUTH_FILE"];
        else process.env["REGISTRY_AUTH_FILE"] = before;
      }
      for (const name of ["a/app:1.0", "b/app:latest"]) {
        const place = `docker://${registry.host}/${name}`;
        await skopeo(
          "copy",
          "--quiet",
          "--src-tls-verify=false",
          place,
          `oci:back:${name.replace(/\W/g, "-")}`,
        );
        const digest = await skopeo(
          "inspect",
          "--tls-verify=false",
          "--format",
          "{{.Digest}}",
          place,
        );
        expect(digest).toBe(await skopeo("inspect", "--format", "{{.Digest}}", "oci:layout:1.0"));
      }
      await registry.stop();
    },
  );
});
