/** Real images, made by umoci and copied by skopeo: what is packed equals what umoci unpacks. */
import { execFileSync } from "node:child_process";
import {
  chownSync,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { build } from "../../builder/api/build.ts";
import { dump, dumpLine } from "../../builder/api/dump.ts";
import { inspect } from "../../builder/api/inspect.ts";
import { makeSampleTree, noise } from "../support/image.ts";
import { skipUnless } from "../support/needs.ts";
import { Layout } from "../support/oci.ts";
import { asUser, bundle, bundleCommand, run } from "../support/process.ts";
import { tarOf } from "../support/tar.ts";
import { temporaryDirectory } from "../support/temporary.ts";

let dir: string;

const call = (command: string, ...args: string[]) =>
  execFileSync(command, args, { cwd: dir, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

/** What a start mounts on, which is added, and the root, whose time that changes nowhere. */
const ADDED = /^\/(dev|proc|run|sys|tmp|etc\/(hostname|hosts|resolv\.conf))? /;

/** Lines of a dump without what is added where it is missing. */
async function listing(input: string): Promise<string[]> {
  const lines: string[] = [];
  await dump({ input }, (record) => {
    lines.push(dumpLine(record));
  });
  return lines.filter((line) => !ADDED.test(line));
}

/** One layer after the other, each by a change of the folder that umoci unpacks. */
function makeImage(layout: string, ...layers: ((root: string) => void)[]): void {
  const image = `${layout}:v1`;
  call("umoci", "init", "--layout", layout);
  call("umoci", "new", "--image", image);
  for (const change of layers) {
    call("umoci", "unpack", "--image", image, "work");
    change(`${dir}/work/rootfs`);
    call("umoci", "repack", "--image", image, "work");
    rmSync(`${dir}/work`, { recursive: true });
  }
}

function lower(root: string): void {
  mkdirSync(`${root}/etc`);
  makeSampleTree(`${root}/sample`);
  mkdirSync(`${root}/bin`);
  copyFileSync("/bin/busybox", `${root}/bin/busybox`);
  symlinkSync("busybox", `${root}/bin/sh`);
  mkdirSync(`${root}/emptied/sub`, { recursive: true });
  writeFileSync(`${root}/emptied/sub/file`, "lower");
  writeFileSync(`${root}/written`, noise(300_000));
  writeFileSync(`${root}/removed`, "lower");
  writeFileSync(`${root}/joined`, "of the lower layer");
  mkdirSync(`${root}/becomes-link`);
  writeFileSync(`${root}/becomes-link/file`, "lower");
  symlinkSync("sample", `${root}/becomes-folder`);
  writeFileSync(`${root}/${"n".repeat(200)}`, "a long name");
}

function upper(root: string): void {
  rmSync(`${root}/emptied`, { recursive: true });
  mkdirSync(`${root}/emptied`);
  writeFileSync(`${root}/emptied/new`, "upper");
  writeFileSync(`${root}/written`, "upper");
  rmSync(`${root}/removed`);
  linkSync(`${root}/joined`, `${root}/joined-too`);
  rmSync(`${root}/becomes-link`, { recursive: true });
  symlinkSync("emptied", `${root}/becomes-link`);
  rmSync(`${root}/becomes-folder`);
  mkdirSync(`${root}/becomes-folder`);
  writeFileSync(`${root}/becomes-folder/file`, "upper");
  chownSync(`${root}/joined`, 1234, 4321);
}

const configure = [
  ["--config.entrypoint", "/bin/sh", "--config.entrypoint", "-c"],
  ["--config.cmd", "echo ok", "--config.env", "A=b c", "--config.workingdir", "/sample"],
  ["--config.user", "7:8", "--config.exposedports", "80/tcp", "--config.volume", "/data"],
  ["--config.stopsignal", "SIGQUIT", "--config.label", "who=me"],
].flat();

beforeAll(() => {
  dir = temporaryDirectory();
});

describe("an image of umoci equals what umoci unpacks", () => {
  const needs = ["root", "umoci", "skopeo", "xattrs"] as const;

  skipUnless(...needs)("as a layout, an archive, an archive of docker, and by zstd", async () => {
    makeImage("layout", lower, upper);
    call("umoci", "config", "--image", "layout:v1", ...configure);
    call("umoci", "unpack", "--image", "layout:v1", "unpacked");
    const expected = await listing(`${dir}/unpacked/rootfs`);
    expect(expected.length).toBeGreaterThan(30);
    call("skopeo", "copy", "oci:layout:v1", "oci-archive:image.tar:v1");
    call("skopeo", "copy", "oci:layout:v1", "docker-archive:saved.tar:some/app:v1");
    call("skopeo", "copy", "--dest-compress-format", "zstd", "oci:layout:v1", "oci:zstd:v1");
    execFileSync("gzip", ["-k", "image.tar", "saved.tar"], { cwd: dir });
    const zstd = readdirSync(`${dir}/zstd/blobs/sha256`).map((name) =>
      readFileSync(`${dir}/zstd/blobs/sha256/${name}`).subarray(0, 4).toString("hex"),
    );
    expect(zstd).toContain("28b52ffd");
    const names = [
      "oci:layout",
      "oci:layout:v1",
      "oci:zstd:v1",
      "oci-archive:image.tar",
      "oci-archive:image.tar.gz:v1",
      "docker-archive:saved.tar",
      "docker-archive:saved.tar:some/app:v1",
      "docker-archive:saved.tar.gz",
    ];
    for (const name of names) {
      const input = name.replace(":", `:${dir}/`);
      const output = `${dir}/app.run`;
      const made = await build({ input, output, devices: true });
      expect(made.kind).toBe("image");
      expect(await listing(output), name).toEqual(expected);
      const { manifest } = await inspect(output);
      expect(manifest).toMatchObject({
        root: "image",
        args: ["/bin/sh", "-c"],
        cmd: ["echo ok"],
        env: expect.arrayContaining(["A=b c"]),
        workdir: "/sample",
        user: "7:8",
        ports: ["80/tcp"],
        volumes: ["/data"],
        stopSignal: "SIGQUIT",
        labels: ["who=me"],
        source: expect.stringMatching(/^(oci|oci-archive|docker-archive):[\w.]+@sha256:\w{64}$/),
      });
      expect(manifest).not.toHaveProperty("entry");
    }
  });

  skipUnless(...needs)("owners too, whoever builds", async () => {
    makeImage("for-users", (root) => {
      mkdirSync(`${root}/etc`);
      writeFileSync(`${root}/of-others`, "x");
      chownSync(`${root}/of-others`, 1000, 65534);
      writeFileSync(`${root}/set-id`, "x");
      execFileSync("chmod", ["6755", `${root}/set-id`]);
    });
    call("umoci", "unpack", "--image", "for-users:v1", "unpacked-users");
    execFileSync("chmod", ["-R", "a+rX", `${dir}/for-users`]);
    const folder = asUserFolder();
    const args = [bundleCommand, "build", `oci:${dir}/for-users:v1`, "-o", `${folder}/app.run`];
    const outcome = await asUser(process.execPath, args, folder);
    expect(outcome.stderr).not.toMatch(/error/i);
    expect(outcome.status).toBe(0);
    expect(await listing(`${folder}/app.run`)).toEqual(
      await listing(`${dir}/unpacked-users/rootfs`),
    );
  });
});

function asUserFolder(): string {
  const folder = temporaryDirectory();
  execFileSync("chmod", ["777", folder]);
  return folder;
}

describe("a root file system", () => {
  skipUnless("root", "xattrs")("as a tar archive, a stream and a folder", async () => {
    const root = `${dir}/root`;
    mkdirSync(root);
    lower(root);
    mkdirSync(`${root}/dev`);
    execFileSync("mknod", [`${root}/dev/zero`, "c", "1", "5"]);
    const expected = await listing(root);
    const tar = ["--xattrs", "--xattrs-include=*", "--numeric-owner", "-C", root];
    execFileSync("tar", [...tar, "-cf", `${dir}/root.tar`, "."]);
    execFileSync("tar", [...tar, "--zstd", "-cf", `${dir}/root.tar.zst`, "."]);
    const output = `${dir}/root.run`;
    for (const input of [`tar:${dir}/root.tar`, `tar:${dir}/root.tar.zst`, root]) {
      await build({ input, output, devices: true, ...(input === root && { kind: "image" }) });
      expect(await listing(output), input).toEqual(expected);
      expect((await inspect(output)).manifest).toMatchObject({ cmd: ["/bin/sh"] });
    }
    const input = readFileSync(`${dir}/root.tar`);
    const args = [bundleCommand, "build", "-", "-o", output, "--devices", "--name", "piped"];
    execFileSync(process.execPath, args, { input });
    expect(await listing(output)).toEqual(expected);
    // Without --devices they are named and left out, and nothing of the folder is changed.
    const without = await build({ input: root, kind: "image", output });
    expect(without.warnings).toEqual([
      expect.objectContaining({
        code: "W_IMAGE_DEVICE",
        message: expect.stringContaining("dev/zero"),
      }),
    ]);
    expect(existsSync(`${root}/dev/zero`)).toBe(true);
  });
});

describe("a program without a slash at its start", () => {
  const said = ["/bin/busybox", "echo", "started"];
  const configs = [
    { config: { Cmd: ["./bin/busybox", "echo", "started"] }, args: [], cmd: said },
    { config: { Entrypoint: ["bin/busybox", "echo", "started"] }, args: said },
    { config: { Entrypoint: ["./bin/busybox"], Cmd: said.slice(1), WorkingDir: "/" } },
    { config: { Entrypoint: ["bin/../../bin/./busybox", "echo"], Cmd: ["started"] } },
    { config: { Cmd: ["./busybox", "echo", "started"], WorkingDir: "bin" } },
    { config: { Cmd: ["../bin/busybox", "echo", "started"], WorkingDir: "/bin/" } },
    { config: { Cmd: ["busybox", "echo", "started"] } },
    { config: {}, entry: "bin/busybox", more: ["echo", "started"] },
  ];

  skipUnless("root", "busybox")("is meant from WorkingDir, else from the root", async () => {
    const folder = temporaryDirectory();
    const output = `${folder}/app.run`;
    const data = readFileSync("/bin/busybox");
    const files = tarOf({ name: "bin/busybox", mode: "0000755", data });
    for (const { config, args, cmd, entry, more = [] } of configs) {
      const layout = new Layout(`${folder}/layout`);
      layout.index(layout.image([files], { config }));
      await build({ input: `oci:${folder}/layout`, output, ...(entry && { entry }) });
      const { manifest } = await inspect(output);
      if (args !== undefined) expect(manifest?.args).toEqual(args);
      if (cmd !== undefined) expect(manifest?.cmd).toEqual(cmd);
      const { status, stdout, stderr } = await run(output, more, { cwd: folder });
      expect({ config, status, stdout, stderr }).toEqual({
        config,
        status: 0,
        stdout: "started\n",
        stderr: "",
      });
    }
  });
});

describe("a layout whose blobs are not where they are named", () => {
  const make = (folder: string, how: "none" | "gzip") => {
    const layout = new Layout(`${folder}/layout`);
    const files = tarOf(
      { name: "bin/program", data: noise(300_000) },
      { name: "small", data: "s" },
    );
    layout.index(layout.image([files], { how }));
    const blobs = `${folder}/layout/blobs/sha256`;
    const sizes = readdirSync(blobs).map((name) => ({
      name,
      size: statSync(join(blobs, name)).size,
    }));
    const largest = sizes.sort((a, b) => b.size - a.size)[0]?.name ?? "";
    return { blobs, layer: join(blobs, largest) };
  };

  test.each(["none", "gzip"] as const)("is read through links, layers of %s", async (how) => {
    const folder = temporaryDirectory();
    const { blobs } = make(folder, how);
    await build({ input: `oci:${folder}/layout`, output: `${folder}/plain.run` });
    mkdirSync(`${folder}/shared`);
    for (const name of [...readdirSync(blobs), "../../index.json", "../../oci-layout"]) {
      const shared = `${folder}/shared/${name.replaceAll("/", "_")}`;
      renameSync(join(blobs, name), shared);
      symlinkSync(shared, join(blobs, name));
    }
    await build({ input: `oci:${folder}/layout`, output: `${folder}/linked.run` });
    expect(await listing(`${folder}/linked.run`)).toEqual(await listing(`${folder}/plain.run`));
  });

  test.each([
    ["a fifo", (layer: string) => execFileSync("mkfifo", [layer]), "E_FILE_KIND"],
    ["a folder", (layer: string) => mkdirSync(layer), "E_FILE_KIND"],
    ["a link to a device", (layer: string) => symlinkSync("/dev/zero", layer), "E_FILE_KIND"],
    ["a link to itself", (layer: string) => symlinkSync(layer, layer), "E_FILE_UNREADABLE"],
    ["a link to nothing", (layer: string) => symlinkSync("gone", layer), "E_OCI_INVALID"],
    ["a link to another file", (layer: string) => symlinkSync("/etc/passwd", layer), "E_OCI_SIZE"],
  ])("is refused with %s for a layer", async (_, put, code) => {
    const folder = temporaryDirectory();
    const { layer } = make(folder, "none");
    rmSync(layer);
    put(layer);
    const output = `${folder}/out.run`;
    const built = build({ input: `oci:${folder}/layout`, output });
    await expect(built).rejects.toMatchObject({ code });
    expect(existsSync(output)).toBe(false);
  });
});

test("nothing is left where an image is refused", async () => {
  const folder = temporaryDirectory();
  mkdirSync(`${folder}/blobs`);
  writeFileSync(`${folder}/oci-layout`, '{"imageLayoutVersion":"1.0.0"}');
  writeFileSync(`${folder}/index.json`, '{"manifests":[{"digest":"sha256:../../etc","size":1}]}');
  const before = readdirSync(folder);
  const outside = temporaryDirectory();
  const { status, stderr } = await bundle(["build", `oci:${folder}`, "-o", `${outside}/out.run`]);
  expect(status).toBe(1);
  expect(stderr).toContain("E_OCI_INVALID");
  expect(readdirSync(folder)).toEqual(before);
  expect(readdirSync(outside)).toEqual([]);
});
