/** podman starts a bundle's image, and what podman and umoci make of images equals what we make of them. */
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, symlinkSync } from "node:fs";
import { beforeAll, describe, expect } from "vitest";
import { build } from "../../builder/api/build.ts";
import { dump, dumpLine } from "../../builder/api/dump.ts";
import { runtimePath } from "../../builder/host/paths.ts";
import { writeFiles } from "../support/case.ts";
import { makeSampleTree } from "../support/image.ts";
import { skipUnless } from "../support/needs.ts";
import { type Podman, startPodman } from "../support/podman.ts";
import { temporaryDirectory } from "../support/temporary.ts";

let dir: string;
let engine: Podman;
beforeAll(() => {
  dir = temporaryDirectory();
  engine = startPodman();
});

const places = ["dev", "etc", "proc", "run", "sys", "tmp"];

const output = (command: string, ...args: string[]) =>
  execFileSync(command, args, { cwd: dir, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

describe("podman run --rootfs", () => {
  skipUnless(
    "root",
    "loop",
    "podman",
    "crun",
    "busybox",
  )("starts the image of a bundle", async () => {
    const root = `${dir}/root`;
    for (const name of [...places, "bin"]) mkdirSync(`${root}/${name}`, { recursive: true });
    copyFileSync("/usr/bin/busybox", `${root}/bin/busybox`);
    symlinkSync("busybox", `${root}/bin/sh`);
    writeFiles(root, { "etc/own": "the image's\n" });
    await build({ input: root, output: `${dir}/root.run`, kind: "image" });
    const at = "/run/fuselage/podman-test";
    const runner = [runtimePath("x86_64"), `--static=${at}:${dir}/root.run`, "--"];
    const script = "busybox cat /etc/own; echo more >> /etc/own; busybox tail -n1 /etc/own; exit 7";
    const args = ["run", ...engine.runOptions, "--rootfs", `${at}:O`, "/bin/sh", "-c", script];
    const started = await engine.podman(args, runner);
    expect(started).toMatchObject({ status: 7, stdout: "the image's\nmore\n" });
  });
});

describe("an image that podman made", () => {
  skipUnless(
    "root",
    "podman",
    "crun",
    "umoci",
    "skopeo",
    "xattrs",
  )("has the files that umoci finds in it, however it was saved", async () => {
    const tree = `${dir}/tree`;
    makeSampleTree(tree);
    for (const name of places) mkdirSync(`${tree}/${name}`, { recursive: true });
    for (const name of ["hosts", "hostname", "resolv.conf"])
      writeFiles(tree, { [`etc/${name}`]: "" });
    const flags = ["--xattrs", "--xattrs-include=user.*", "--numeric-owner", "--format=pax"];
    output("tar", ...flags, "-C", tree, "-cf", "tree.tar", ".");
    expect(await engine.podman(["import", `${dir}/tree.tar`, "made:1"])).toMatchObject({
      status: 0,
    });
    for (const kind of ["oci", "docker"]) {
      const file = `${dir}/${kind}.tar`;
      const saved = await engine.podman(["save", `--format=${kind}-archive`, "-o", file, "made:1"]);
      expect(saved).toMatchObject({ status: 0 });
      await build({
        input: `${kind}-archive:${file}`,
        output: `${dir}/${kind}.run`,
        devices: true,
      });
      output("skopeo", "copy", `${kind}-archive:${file}`, `oci:${kind}:1`);
      output("umoci", "unpack", "--image", `${kind}:1`, `${kind}-unpacked`);
      const [ours, theirs] = [
        await lines(`${dir}/${kind}.run`),
        await lines(`${dir}/${kind}-unpacked/rootfs`),
      ];
      expect(ours.length).toBeGreaterThan(60);
      // Programs in Go do not see an attribute with an empty value.
      expect(ours.map((line) => line.replace(" xattr.user.empty=", ""))).toEqual(theirs);
    }
  });
});

async function lines(input: string): Promise<string[]> {
  const found: string[] = [];
  await dump({ input }, (record) => void found.push(dumpLine(record)));
  return found;
}
