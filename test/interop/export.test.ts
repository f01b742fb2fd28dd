/** Container images of bundles, as skopeo, umoci, crun and runc see them. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { build } from "../../builder/api/build.ts";
import { dump, dumpLine } from "../../builder/api/dump.ts";
import { exportImage } from "../../builder/api/export.ts";
import { inspect } from "../../builder/api/inspect.ts";
import { pack } from "../../builder/api/pack.ts";
import { BundleError } from "../../builder/errors.ts";
import { writeFiles } from "../support/case.ts";
import { makeSampleTree } from "../support/image.ts";
import { ImageRegistry } from "../support/image-registry.ts";
import { skipUnless } from "../support/needs.ts";
import { nodeApp } from "../support/node-app.ts";
import { blobFile, imageOf, readBlob } from "../support/oci.ts";
import { run } from "../support/process.ts";
import { temporaryDirectory } from "../support/temporary.ts";

let dir: string;

beforeAll(async () => {
  dir = temporaryDirectory();
  const app = `${dir}/config`;
  output("gcc", "-static", "-x", "c", "-o", "static", "/dev/null", "-Wl,--defsym=main=0");
  mkdirSync(`${app}/bin`, { recursive: true });
  execFileSync("cp", [`${dir}/static`, `${app}/bin/config`]);
  await build({
    input: app,
    output: `${app}.run`,
    args: ["--data", "${FUSELAGE_BUNDLE_DIR}/data"],
    env: ["A=${FUSELAGE_BUNDLE_DIR}", "PATH=/only"],
    envDefault: ["B=b", "A=no"],
    envPrepend: ["PATH=${FUSELAGE_BUNDLE_DIR}/bin", "L,=1"],
    envAppend: ["PATH=/last"],
    unsetEnv: ["HOME"],
  });
});

async function lines(input: string, below = ""): Promise<string[]> {
  const found: string[] = [];
  await dump({ input }, (record) => {
    if (record.path.startsWith(below)) found.push(dumpLine(record));
  });
  return found;
}

const output = (command: string, ...args: string[]) =>
  execFileSync(command, args, { cwd: dir, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

const json = (file: string) => JSON.parse(readFileSync(file, "utf8"));

describe("files", () => {
  skipUnless(
    "root",
    "umoci",
    "skopeo",
    "xattrs",
  )("of every kind come out of umoci as they went in, gzip and by skopeo zstd", async () => {
    const source = `${dir}/source`;
    makeSampleTree(source);
    for (const place of ["dev", "etc", "proc", "run", "root", "sys", "tmp"]) {
      mkdirSync(`${source}/${place}`);
    }
    writeFileSync(`${source}/etc/passwd`, "");
    writeFileSync(`${source}/etc/group`, "");
    const image = `${dir}/source.sfs`;
    await pack({ input: source, output: image, keepMtimes: true, keepOwners: true, devices: true });
    // An empty value takes a record of pax away: no program in Go gets to see such an attribute.
    const expected = (await lines(image)).map((line) => line.replace(" xattr.user.empty=", ""));
    expect(expected.length).toBeGreaterThan(60);
    await exportImage({ input: image, to: `oci:${dir}/every` });
    output("umoci", "unpack", "--image", "every:latest", "unpacked");
    expect(await lines(`${dir}/unpacked/rootfs`)).toEqual(expected);
    await exportImage({ input: image, to: `oci:${dir}/every:zstd`, compression: "zstd" });
    const copied = ["copy", "--dest-compress-format=gzip", "--dest-compress", "--format=oci"];
    output("skopeo", ...copied, "oci:every:zstd", "oci:copied:gzip");
    output("umoci", "unpack", "--image", "copied:gzip", "again");
    expect(await lines(`${dir}/again/rootfs`)).toEqual(expected);
  });

  test("give the same digests each time, and each codec others", async () => {
    const app = `${dir}/digests`;
    writeFiles(app, {
      "bin/app": "#!/bin/sh\n",
      "data/x": "x".repeat(3_000_000),
      "bin/sh": "#!/bin/app\n",
    });
    await build({ input: app, output: `${app}.sfs.run`, entry: "bin/app" });
    const image = `${app}.sfs`;
    await pack({ input: app, output: image });
    const digests: string[] = [];
    for (const compression of ["gzip", "gzip", "zstd", "none"] as const) {
      const to = `oci-archive:${dir}/${digests.length}.tar`;
      digests.push((await exportImage({ input: image, to, compression })).digest);
    }
    expect(digests[0]).toBe(digests[1]);
    expect(new Set(digests).size).toBe(3);
    expect(readFileSync(`${dir}/0.tar`).equals(readFileSync(`${dir}/1.tar`))).toBe(true);
  });

  test("of a folder with a map are at both paths, and one file", async () => {
    const app = `${dir}/mapped`;
    writeFiles(app, { "lib/x": "x", "lib/y": { link: "x" }, "run.txt": "" });
    await pack({ input: app, output: `${app}.sfs` });
    await build({
      input: `${app}.sfs`,
      output: `${app}.run`,
      entry: "lib/x",
      name: "mapped",
      chmod: ["lib/x=0755"],
      maps: ["lib=!/usr/lib/x"],
    });
    await expect(exportImage({ input: `${app}.run`, to: `oci:${dir}/maps` })).resolves.toBeTruthy();
    const { manifest } = imageOf(`${dir}/maps`, "latest");
    const layer = blobFile(`${dir}/maps`, manifest.layers[0].digest);
    const listed = output("tar", "-tvzf", layer);
    expect(listed).toMatch(/ opt\/mapped\/lib\/x$/m);
    expect(listed).toMatch(/^h.* usr\/lib\/x\/x link to opt\/mapped\/lib\/x$/m);
    expect(listed).toMatch(/^l.* usr\/lib\/x\/y -> x$/m);
    expect(listed).not.toContain(".wh.");
  });
});

describe("the config", () => {
  test("is what the bundle records", async () => {
    const app = `${dir}/config`;
    await exportImage({
      input: `${app}.run`,
      to: `oci:${dir}/configs`,
      labels: ["org.opencontainers.image.version=1.2", "a=b=c"],
      tags: ["one", "two"],
    });
    for (const tag of ["one", "two"]) {
      const { config } = imageOf(`${dir}/configs`, tag);
      expect(config).toMatchObject({ os: "linux", created: "1980-01-01T00:00:00Z" });
      expect(config.config).toEqual({
        Env: [
          "PATH=/opt/config/bin:/only:/last",
          "A=/opt/config",
          "B=b",
          "L=1",
          "FUSELAGE_BUNDLE_DIR=/opt/config",
        ],
        Entrypoint: ["/opt/config/bin/config", "--data", "/opt/config/data"],
        Labels: { a: "b=c", "org.opencontainers.image.version": "1.2" },
      });
    }
  });

  test("goes to the path that the bundle is at, or that is asked for", async () => {
    const app = `${dir}/config`;
    await build({ input: app, output: `${app}-at.run`, mountAt: "/run/fuselage/there" });
    await exportImage({ input: `${app}-at.run`, to: `oci:${dir}/places:a` });
    await exportImage({ input: `${app}-at.run`, to: `oci:${dir}/places:b`, at: "/srv" });
    expect(imageOf(`${dir}/places`, "a").config.config.Entrypoint[0]).toBe(
      "/run/fuselage/there/bin/config",
    );
    expect(imageOf(`${dir}/places`, "b").config.config.Entrypoint[0]).toBe("/srv/bin/config");
  });
});

/** Starts the image of a layout as a container runtime does. */
async function started(layout: string, args: readonly string[] = []) {
  const bundle = `${dir}/bundle-${Math.random().toString(36).slice(2)}`;
  output("umoci", "unpack", "--image", `${layout}:latest`, bundle);
  const { process: made } = json(`${bundle}/config.json`);
  const variables = (made.env as string[]).map((one) => one.replace(/^PATH=/, "PATH="));
  const wrapped = ["-i", ...variables, "chroot", `${bundle}/rootfs`, ...made.args, ...args];
  return run("env", wrapped);
}

describe("starts from an empty root file system", () => {
  skipUnless(
    "root",
    "umoci",
    "gcc",
  )("a program with libraries and its libc", async () => {
    const app = `${dir}/cpp`;
    writeFiles(app, {
      "shout.cc": '#include <string>\nstd::string shout(std::string s) { return s + "!"; }\n',
      "main.cc":
        "#include <cstdlib>\n#include <iostream>\n#include <string>\nstd::string shout(std::string);\n" +
        'int main(int n, char **v) { std::cout << shout(n > 1 ? v[1] : "") << getenv("FUSELAGE_BUNDLE_DIR") << std::endl; }\n',
    });
    output(
      "g++",
      "-shared",
      "-fPIC",
      "-Wl,-soname,libshout.so",
      "-o",
      "libshout.so",
      "cpp/shout.cc",
    );
    output("g++", "cpp/main.cc", "libshout.so", `-Wl,-rpath,${dir}`, "-o", "shouter");
    await build({ input: `${dir}/shouter`, output: `${dir}/shouter.run`, withLibs: true });
    await exportImage({ input: `${dir}/shouter.run`, to: `oci:${dir}/shouter-image` });
    expect(await started("shouter-image", ["hey"])).toMatchObject({
      stdout: "hey!/opt/shouter\n",
      status: 0,
    });
  });

  skipUnless(
    "root",
    "umoci",
    "busybox",
  )("a shell app with a busybox", async () => {
    const app = `${dir}/shell`;
    writeFiles(app, {
      "bin/shell":
        "#!/opt/shell/bin/busybox sh\nhere=${0%/*}\nexec $here/busybox cat $here/../text $1\n",
      text: "from the image\n",
      more: "more\n",
    });
    execFileSync("cp", [output("which", "busybox").trim(), `${app}/bin/busybox`]);
    await build({
      input: app,
      output: `${app}.run`,
      entry: "bin/shell",
      args: ["/opt/shell/more"],
    });
    await exportImage({ input: `${app}.run`, to: `oci:${dir}/shell-image` });
    expect(await started("shell-image")).toMatchObject({
      stdout: "from the image\nmore\n",
      status: 0,
    });
  });

  skipUnless("root", "umoci")("an app for Node", async () => {
    const app = await nodeApp("test/cases/apps/module-with-assets");
    await build({ input: app, output: `${dir}/node.run`, withLibs: true });
    await exportImage({ input: `${dir}/node.run`, to: `oci:${dir}/node-image` });
    const { stdout, status } = await started("node-image");
    expect({ first: stdout.split("\n")[0], status }).toEqual({
      first: "from the assets",
      status: 0,
    });
  });
});

describe("on a base image", () => {
  skipUnless(
    "root",
    "umoci",
    "skopeo",
    "busybox",
  )("a script finds its interpreter, and the config is that of both", async () => {
    const root = `${dir}/base-root`;
    writeFiles(root, {
      "bin/sh": { link: "busybox" },
      "bin/cat": { link: "busybox" },
      "usr/lib/x/old": "old\n",
      "opt/other": "",
    });
    execFileSync("cp", [output("which", "busybox").trim(), `${root}/bin/busybox`]);
    await pack({ input: root, output: `${root}.sfs` });
    await exportImage({ input: `${root}.sfs`, to: `oci:${dir}/base:b`, labels: ["a=1", "b=2"] });
    output(
      "umoci",
      "config",
      "--image",
      "base:b",
      "--config.env",
      "PATH=/bin",
      "--config.env",
      "E=base",
      "--config.workingdir",
      "/usr",
    );
    output("skopeo", "copy", "oci:base:b", "docker-archive:base.tar:base:1");
    const app = `${dir}/on-base`;
    writeFiles(app, {
      "bin/on-base": '#!/bin/sh\npwd; echo "$E $PATH $1"; cat /usr/lib/x/*\n',
      "lib/new": "new\n",
    });
    await build({
      input: app,
      output: `${app}.run`,
      maps: ["lib=!/usr/lib/x"],
      envPrepend: ["PATH=${FUSELAGE_BUNDLE_DIR}/bin"],
    });
    for (const [i, base] of [`oci:${dir}/base:b`, `docker-archive:${dir}/base.tar`].entries()) {
      const layout = `on-base-${i}`;
      await exportImage({ input: `${app}.run`, base, to: `oci:${dir}/${layout}`, labels: ["b=3"] });
      const { manifest, config } = imageOf(`${dir}/${layout}`, "latest");
      expect(manifest.layers).toHaveLength(2);
      expect(config.rootfs.diff_ids).toHaveLength(2);
      expect(config.config.Labels).toEqual({ a: "1", b: "3" });
      const bundle = `${dir}/${layout}-unpacked`;
      output("umoci", "unpack", "--image", `${layout}:latest`, bundle);
      const { process: made } = json(`${bundle}/config.json`);
      const command = `cd ${made.cwd} && exec "$@"`;
      const inside = [
        output("which", "chroot").trim(),
        `${bundle}/rootfs`,
        "/bin/sh",
        "-c",
        command,
        "sh",
        ...made.args,
        "arg",
      ];
      expect(await run("env", ["-i", ...made.env, ...inside])).toMatchObject({
        stdout: "/usr\nbase /opt/on-base/bin:/bin arg\nnew\n",
        status: 0,
      });
    }
  });

  test("that is none is refused", async () => {
    const input = `${dir}/config.run`;
    const to = `oci:${dir}/no-base`;
    const none = exportImage({ input, to, base: `oci:${dir}/nowhere` });
    await expect(none).rejects.toBeInstanceOf(BundleError);
    const tar = exportImage({ input, to, base: `tar:${dir}/x.tar` });
    await expect(tar).rejects.toMatchObject({ code: "E_EXPORT_INPUT" });
  });
});

test("what cannot start in an empty root file system is refused", async () => {
  const app = `${dir}/refused`;
  writeFiles(app, { "bin/refused": "#!/bin/sh\n" });
  await build({ input: app, output: `${app}.run` });
  const there = exportImage({ input: `${app}.run`, to: `oci:${dir}/refused-image` });
  await expect(there).rejects.toMatchObject({ code: "E_EXPORT_LIBC", path: "/bin/sh" });
  await expect(lines(`${dir}/refused-image`)).rejects.toMatchObject({ code: "E_INPUT_MISSING" });
});

describe("an archive", () => {
  skipUnless("skopeo")("of either kind is read by skopeo", async () => {
    const input = `${dir}/config.run`;
    await exportImage({ input, to: `oci-archive:${dir}/a.tar`, tags: ["1.0"] });
    await exportImage({ input, to: `docker-archive:${dir}/d.tar`, tags: ["app:1.0", "2.0"] });
    for (const name of [
      "oci-archive:a.tar:1.0",
      "docker-archive:d.tar:app:1.0",
      "docker-archive:d.tar:config:2.0",
    ]) {
      expect(JSON.parse(output("skopeo", "inspect", name)).Env).toContain("B=b");
    }
    output("skopeo", "copy", "docker-archive:d.tar:app:1.0", "oci:from-docker:x");
    expect(imageOf(`${dir}/from-docker`, "x").config.config.Entrypoint).toHaveLength(3);
  });
});

test("two machines are one index", async () => {
  const input = `${dir}/config.sfs`;
  await pack({ input: `${dir}/config`, output: input });
  const more = [`${dir}/config-arm.run`];
  await build({ input, output: more[0] as string, arch: "aarch64", entry: "bin/config" });
  await exportImage({ input: `${dir}/config.run`, more, to: `oci:${dir}/index` });
  const { manifests } = json(`${dir}/index/index.json`);
  const index = readBlob(`${dir}/index`, manifests[0].digest);
  expect(index.manifests.map(({ platform }: { platform: object }) => platform)).toEqual([
    { architecture: "amd64", os: "linux" },
    { architecture: "arm64", os: "linux" },
  ]);
  const twice = exportImage({ input, more: [input], to: `oci:${dir}/twice` });
  await expect(twice).rejects.toMatchObject({ code: "E_OPTION_CONFLICT" });
});

test("a registry gets what it has not, under every tag", async () => {
  const registry = await new ImageRegistry().start();
  try {
    const input = `${dir}/config.run`;
    const to = `docker://${registry.host}/apps/config:1`;
    const { digest } = await exportImage({ input, to, tags: ["latest"] });
    for (const tag of ["1", "latest", digest]) {
      const manifest = JSON.parse(`${registry.manifests.get(tag)?.bytes}`);
      expect(registry.blobs.has(manifest.layers[0].digest)).toBe(true);
      const config = JSON.parse(`${registry.blobs.get(manifest.config.digest)}`);
      expect(config.config.Env).toContain("B=b");
    }
    const sent = registry.count("PUT", "/blobs/") + registry.count("PATCH", "/blobs/");
    await exportImage({ input, to });
    expect(registry.count("PUT", "/blobs/") + registry.count("PATCH", "/blobs/")).toBe(sent);
    const byDigest = exportImage({ input, to: `docker://${registry.host}/apps/config@${digest}` });
    await expect(byDigest).rejects.toMatchObject({ code: "E_EXPORT_TARGET" });
  } finally {
    await registry.close();
  }
});

test("a project says its version and where it comes from", async () => {
  const app = `${dir}/project`;
  const project = { version: "1.2.3", repository: { type: "git", url: "https://git.example/p" } };
  writeFiles(app, {
    "package.json": JSON.stringify(project),
    "bundle.config.json": '{"kind":"elf"}',
  });
  mkdirSync(`${app}/bin`);
  execFileSync("cp", [`${dir}/static`, `${app}/bin/project`]);
  await exportImage({ input: app, to: `oci:${dir}/project-image`, labels: ["a=b"] });
  expect(imageOf(`${dir}/project-image`, "latest").config.config.Labels).toEqual({
    a: "b",
    "org.opencontainers.image.source": "https://git.example/p",
    "org.opencontainers.image.version": "1.2.3",
  });
});

test("an artifact is the file itself", async () => {
  const input = `${dir}/config.run`;
  await exportImage({ input, artifact: true, to: `oci:${dir}/artifact` });
  const { manifests } = json(`${dir}/artifact/index.json`);
  const manifest = readBlob(`${dir}/artifact`, manifests[0].digest);
  expect(manifest).toMatchObject({
    artifactType: "application/vnd.fuselage.bundle.v1",
    config: { mediaType: "application/vnd.oci.empty.v1+json", size: 2 },
    layers: [{ annotations: { "org.opencontainers.image.title": "config.run" } }],
  });
  const blob = blobFile(`${dir}/artifact`, manifest.layers[0].digest);
  expect(readFileSync(blob).equals(readFileSync(input))).toBe(true);
  for (const [i, options] of [{}, { name: "another", strict: true }].entries()) {
    const again = `${dir}/again-${i}.run`;
    await build({ input: `oci:${dir}/artifact`, output: again, ...options });
    expect(readFileSync(again).equals(readFileSync(input))).toBe(true);
    expect(statSync(again).mode & 0o111).toBe(0o111);
  }
  const other = `${dir}/again-other.run`;
  await build({ input: `oci:${dir}/artifact`, output: other, env: ["NEW=1"] });
  expect((await inspect(other)).manifest?.env).toContain("NEW=1");
  writeFileSync(blob, Buffer.concat([readFileSync(blob).subarray(0, -1), Buffer.from("x")]));
  const broken = build({ input: `oci:${dir}/artifact`, output: `${dir}/broken.run` });
  await expect(broken).rejects.toMatchObject({ code: "E_OCI_DIGEST" });
  expect(existsSync(`${dir}/broken.run`)).toBe(false);
  const both = exportImage({ input, artifact: true, at: "/x", to: `oci:${dir}/artifact` });
  await expect(both).rejects.toMatchObject({ code: "E_OPTION_CONFLICT" });
});

test("a folder that is no layout is not touched", async () => {
  mkdirSync(`${dir}/other`);
  writeFileSync(`${dir}/other/file`, "");
  const input = `${dir}/config.run`;
  const there = exportImage({ input, to: `oci:${dir}/other` });
  await expect(there).rejects.toMatchObject({ code: "E_EXTRACT_EXISTS" });
  const tar = exportImage({ input, to: `tar:${dir}/x.tar` });
  await expect(tar).rejects.toMatchObject({ code: "E_EXPORT_TARGET" });
});
