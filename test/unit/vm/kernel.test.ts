import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { decodedLz4 } from "../../../builder/vm/decode.ts";
import { readKernel } from "../../../builder/vm/kernel.ts";
import { parseConfig } from "../../../builder/vm/kernel-config.ts";
import { featuresFor, type MachineNeeds } from "../../../builder/vm/kernel-features.ts";
import { readKernelImage, unpackKernel } from "../../../builder/vm/kernel-image.ts";
import { skipUnless } from "../../support/needs.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

const RELEASE = "6.9.0-made";

const needs: MachineNeeds = {
  bus: "mmio",
  compression: "zstd",
  streams: false,
  network: false,
  volumes: [],
  entropy: false,
  overlay: false,
  pvh: false,
};

/** As much of a bzImage as is looked at. */
function bzImage(payload: Buffer): Buffer {
  const head = Buffer.alloc(0x1400);
  head[0x1f1] = 1;
  head.write("HdrS", 0x202);
  head.writeUInt16LE(0x300, 0x20e);
  head.write(`${RELEASE} (somebody@somewhere) #1\0`, 0x500);
  const start = 2 * 512;
  head.writeUInt32LE(head.length - start, 0x248);
  head.writeUInt32LE(payload.length, 0x24c);
  return Buffer.concat([head, payload]);
}

/** As much of a module as is looked at. */
const module = (depends: string, release = RELEASE, more = "") =>
  Buffer.from(`\x7fELF...\0license=GPL\0depends=${depends}\0${more}vermagic=${release} SMP mod\0`);

/** A kernel in a folder of its own, with modules and a configuration. */
function kernelFolder(modules: Record<string, Buffer>, config: string): string {
  const dir = temporaryDirectory();
  const folder = path.join(dir, "lib/modules", RELEASE);
  mkdirSync(path.join(folder, "kernel"), { recursive: true });
  mkdirSync(path.join(dir, "boot"));
  for (const [name, bytes] of Object.entries(modules)) {
    writeFileSync(path.join(folder, "kernel", name), bytes);
  }
  writeFileSync(path.join(folder, "modules.builtin"), "kernel/drivers/virtio/virtio_ring.ko\n");
  writeFileSync(path.join(dir, "boot", `config-${RELEASE}`), config);
  const file = path.join(dir, "boot", `vmlinuz-${RELEASE}`);
  writeFileSync(file, bzImage(Buffer.from("payload")));
  return file;
}

const everything = `${[
  ...featuresFor(needs).map(({ option, module: name }) => `CONFIG_${option}=${name ? "m" : "y"}`),
  "CONFIG_RD_ZSTD=y",
].join("\n")}\n`;

const modules = {
  "virtio.ko": module("virtio_ring"),
  "virtio-mmio.ko": module("virtio"),
  "virtio_blk.ko.xz": execFileSync("xz", ["-c"], { input: module("virtio") }),
  "zlib_like.ko": module(""),
  "squashfs.ko.gz": gzipSync(module("", RELEASE, "softdep=pre: zlib-like missing post: virtio\0")),
};

const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => "none",
    (error) => `${error.code}: ${error.message}`,
  );

describe("a kernel of a virtual machine", () => {
  test("is loaded with its modules, each behind what it depends on", async () => {
    const kernel = await readKernel(kernelFolder(modules, everything), needs);
    expect(kernel.modules.map(({ name }) => name)).toEqual([
      ...["virtio", "virtio_mmio", "virtio_blk", "zlib_like", "squashfs"],
    ]);
    expect(kernel).toMatchObject({ release: RELEASE, format: "bzImage", compression: "zstd" });
  });

  test("takes its modules from depmod's list, and from the folder what is not in that", async () => {
    const file = kernelFolder(modules, everything);
    const folder = path.join(path.dirname(file), "../lib/modules", RELEASE);
    const names = async () => (await readKernel(file, needs)).modules.map(({ name }) => name);
    const all = ["virtio", "virtio_mmio", "virtio_blk", "zlib_like", "squashfs"];
    // In a folder that the list alone leads to.
    mkdirSync(path.join(folder, "updates"));
    const other = module("", RELEASE, "parm=of the list\0");
    writeFileSync(path.join(folder, "updates/zlib_like.ko"), other);
    const list = Object.keys(modules).map((name) =>
      name === "zlib_like.ko" ? `updates/${name}:\n` : `kernel/${name}: kernel/virtio.ko\n`,
    );
    writeFileSync(path.join(folder, "modules.dep"), list.join(""));
    const { modules: loaded } = await readKernel(file, needs);
    expect(loaded.map(({ name }) => name)).toEqual(all);
    expect(loaded.find(({ name }) => name === "zlib_like")?.bytes).toEqual(other);
    for (const stale of ["", "kernel/virtio.ko:\n", "no list"]) {
      writeFileSync(path.join(folder, "modules.dep"), stale);
      expect(await names(), stale).toEqual(all);
    }
  });

  test("has the module of virtio-rng where there is one, and does without", async () => {
    const wanted = { ...needs, entropy: true };
    const more = {
      ...modules,
      "virtio-rng.ko": module("virtio,rng-core"),
      "rng-core.ko": module(""),
    };
    const loaded = async (files: Record<string, Buffer>, option: string) => {
      const kernel = await readKernel(kernelFolder(files, `${everything}${option}\n`), wanted);
      return kernel.modules.map(({ name }) => name).slice(5);
    };
    expect(await loaded(more, "CONFIG_HW_RANDOM_VIRTIO=m")).toEqual(["rng_core", "virtio_rng"]);
    expect(await loaded(more, "CONFIG_HW_RANDOM_VIRTIO=y")).toEqual([]);
    expect(await loaded(modules, "# CONFIG_HW_RANDOM_VIRTIO is not set")).toEqual([]);
    // One that was built and is not there is missing, as any other.
    expect(await codeOf(loaded(modules, "CONFIG_HW_RANDOM_VIRTIO=m"))).toMatch(
      /E_VM_KERNEL_UNFIT: .* has no module virtio_rng in /,
    );
  });

  test("gets its modules without their signatures, unless it insists on them", async () => {
    const plain = module("virtio_ring");
    const fields = Buffer.from([0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 9]);
    const mark = Buffer.from("~Module signature appended~\n");
    const signed = Buffer.concat([plain, Buffer.from("signature"), fields, mark]);
    // What the fields say is more than there is: the kernel has to judge that.
    const wrong = Buffer.concat([plain, Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0]), mark]);
    const loaded = async (virtio: Buffer, config: string) => {
      const file = kernelFolder({ ...modules, "virtio.ko": virtio }, config);
      const { modules: list } = await readKernel(file, needs);
      return list.find(({ name }) => name === "virtio")?.bytes;
    };
    expect(await loaded(signed, everything)).toEqual(plain);
    expect(await loaded(wrong, everything)).toEqual(wrong);
    for (const option of ["MODULE_SIG_FORCE", "LOCK_DOWN_KERNEL_FORCE_INTEGRITY"]) {
      expect(await loaded(signed, `${everything}CONFIG_${option}=y\n`)).toEqual(signed);
    }
  });

  test("is refused for what it was built without", async () => {
    const config = everything.replace("CONFIG_SQUASHFS=m\n", "").replace("DEVTMPFS=y", "X=y");
    const file = kernelFolder(modules, config);
    expect(await codeOf(readKernel(file, needs))).toBe(
      `E_VM_KERNEL_UNFIT: ${file}: kernel ${RELEASE} was built without CONFIG_DEVTMPFS=y, CONFIG_SQUASHFS`,
    );
  });

  test("is refused for a module that is missing, of another kernel or damaged", async () => {
    const { "squashfs.ko.gz": squashfs, ...others } = modules;
    expect(await codeOf(readKernel(kernelFolder(others, everything), needs))).toMatch(
      /E_VM_KERNEL_UNFIT: .* has no module squashfs in .*lib\/modules\/6[.]9[.]0-made$/,
    );
    const { "virtio.ko": virtio, ...without } = modules;
    expect(await codeOf(readKernel(kernelFolder(without, everything), needs))).toBe(
      `E_VM_MODULE: virtio: is not among the modules of kernel ${RELEASE}: expected it, since virtio_mmio depends on it`,
    );
    const old = { ...modules, "virtio.ko": module("", "5.0.0") };
    expect(await codeOf(readKernel(kernelFolder(old, everything), needs))).toMatch(
      /E_VM_MODULE: .*virtio[.]ko: is for another kernel: expected 6[.]9[.]0-made, found 5[.]0[.]0/,
    );
    const cut = { ...modules, "squashfs.ko.gz": squashfs.subarray(0, 20) };
    expect(await codeOf(readKernel(kernelFolder(cut, everything), needs))).toMatch(
      /E_VM_MODULE: .*squashfs[.]ko[.]gz: cannot be read/,
    );
  });

  test("is told from what is none", async () => {
    const file = path.join(temporaryDirectory(), "text");
    writeFileSync(file, "no kernel at all");
    expect(await codeOf(readKernel(file, needs))).toMatch(/E_VM_KERNEL_FORMAT: .*: is no kernel/);
    expect(await codeOf(readKernel(`${file}.missing`, needs))).toMatch(
      /E_VM_KERNEL_FORMAT: .*not exist/,
    );
    expect(readKernelImage(Buffer.from("\x7fELF Linux version 6.1.2-x (a@b)"))).toEqual({
      format: "elf",
      release: "6.1.2-x",
    });
  });

  test("says what it was configured with", () => {
    const config = parseConfig('# CONFIG_A is not set\nCONFIG_B=y\nCONFIG_C=m\nCONFIG_D="text"\n');
    expect([...config]).toEqual([
      ["B", "y"],
      ["C", "m"],
      ["D", '"text"'],
    ]);
  });
});

describe("the ELF file in a kernel", () => {
  const elf = Buffer.concat([
    Buffer.from("\x7fELF"),
    Buffer.alloc(9_000_000, "repeated text, "),
    Buffer.from(Array.from({ length: 5000 }, (_, i) => (i * i * 31) >>> 3)),
  ]);
  const size = Buffer.alloc(4);
  size.writeUInt32LE(elf.length);
  const piped = (command: string, args: string[]) =>
    execFileSync(command, args, { input: elf, maxBuffer: 1 << 26 });

  skipUnless("lz4", "zstd")("is unpacked, however it was compressed", () => {
    const ways: Record<string, Buffer> = {
      gzip: piped("gzip", ["-c", "-9"]),
      // The build of the kernel puts the size behind the others.
      lz4: Buffer.concat([piped("lz4", ["-c", "-l", "-9"]), size]),
      xz: Buffer.concat([piped("xz", ["-c", "--check=crc32", "--x86", "--lzma2=preset=1"]), size]),
      zstd: Buffer.concat([piped("zstd", ["-c", "-3"]), size]),
    };
    for (const [name, bytes] of Object.entries(ways)) {
      expect(unpackKernel(bzImage(bytes)).equals(elf), name).toBe(true);
      const cut = () => unpackKernel(bzImage(bytes.subarray(0, bytes.length >> 1)));
      // A cut frame of lz4 cannot be told from a whole one: what is missing is told by the ELF file's readers.
      if (name !== "lz4") expect(cut, name).toThrow(/./);
    }
    expect(() => unpackKernel(bzImage(Buffer.from("bzip2...")))).toThrow("unknown way");
  });

  test("is refused when its lz4 is damaged", () => {
    const frame = Buffer.from([0x02, 0x21, 0x4c, 0x18, 4, 0, 0, 0, 0x10, 0x41, 9, 0]);
    expect(() => decodedLz4(frame)).toThrow("damaged");
  });
});
