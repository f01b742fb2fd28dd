/** The runtimes for other machines, run by qemu-user as far as that goes: it passes mounts to the kernel. */
import { copyFileSync, existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect } from "vitest";
import { appImage, elfOf, expectNoTraces, smallAppDir, variables } from "../support/appimage.ts";
import { printed } from "../support/bundle-of.ts";
import { skipUnless } from "../support/needs.ts";
import { asUser, root, run } from "../support/process.ts";
import { aloneIn } from "../support/start.ts";
import { temporaryDirectory, userDirectory } from "../support/temporary.ts";

/** What each has of its own: scripts/spec/machines.json. */
const emulated = [
  { arch: "aarch64", need: "qemu", elfMachine: 183, pageBytes: 65536 },
  { arch: "riscv64", need: "qemuRiscv", elfMachine: 243, pageBytes: 4096 },
] as const;

describe.each(emulated)("$arch", ({ arch, need, elfMachine, pageBytes }) => {
  const runtime = path.join(root, "dist/runtime", arch, "fuselage");
  const qemu = `qemu-${arch}-static`;
  const check = skipUnless(need, "mksquashfs");
  let file: string;
  beforeAll(async () => {
    if (!existsSync(runtime)) throw new Error(`${runtime} is not built`);
    const sections = { ".upd_info": "zsync|https://example.org/a.zsync" };
    file = await appImage(smallAppDir, { runtime, compression: "gzip", sections });
  });

  /** An AppRun of this machine: what qemu executes for the runtime runs without it. */
  const start = (args: string[], home = temporaryDirectory(), env = {}) =>
    run(qemu, [file, ...args], { env: { HOME: home, TARGET_APPIMAGE: undefined, ...env } });

  check(`segments are for pages of ${pageBytes} bytes`, async () => {
    const elf = await elfOf(file);
    expect(elf.machine).toBe(elfMachine);
    const bytes = readFileSync(file);
    const [table, size, count] = [
      Number(bytes.readBigUInt64LE(32)),
      bytes.readUInt16LE(54),
      bytes.readUInt16LE(56),
    ];
    for (let i = 0; i < count; i++) {
      const at = table + i * size;
      if (bytes.readUInt32LE(at) !== 1) continue; // PT_LOAD
      expect(Number(bytes.readBigUInt64LE(at + 48))).toBe(pageBytes);
      const [offset, address] = [bytes.readBigUInt64LE(at + 8), bytes.readBigUInt64LE(at + 16)];
      expect(offset % BigInt(pageBytes)).toBe(address % BigInt(pageBytes));
    }
  });

  check("options", async () => {
    expect((await start(["--appimage-help"])).stderr).toContain("--appimage-extract");
    const { offset, entryBytes, count } = (await elfOf(file)).sectionTable;
    expect(printed(await start(["--appimage-offset"]))).toBe(`${offset + entryBytes * count}\n`);
    const update = printed(await start(["--appimage-updateinfo"]));
    expect(update).toBe("zsync|https://example.org/a.zsync\n");
    expect((await start(["--appimage-nonsense"])).status).toBe(1);
  });

  check("extraction", async () => {
    const cwd = temporaryDirectory();
    printed(await run(qemu, [file, "--appimage-extract"], { cwd }));
    const dir = path.join(cwd, "squashfs-root");
    expect(readdirSync(dir).sort()).toEqual(["AppRun", "tool.desktop", "usr"]);
    expect(readFileSync(path.join(dir, "usr/bin/tool"), "utf8")).toBe(smallAppDir["usr/bin/tool"]);
  });

  for (const user of [false, true]) {
    const who = user ? "as a user" : "as root";
    const needs = user ? skipUnless(need, "userns") : skipUnless(need, "root");
    needs(`extract-and-run, ${who}`, async () => {
      const home = user ? userDirectory() : temporaryDirectory();
      const args = [file, "--appimage-extract-and-run"];
      const env = { HOME: home };
      const outcome = user ? await asUser(qemu, args, home) : await run(qemu, args, { env });
      expect(variables(printed(outcome))).toMatchObject({ APPIMAGE: file, HOME: home });
      await expectNoTraces(home);
    });
  }

  check("kept files", async () => {
    const home = temporaryDirectory();
    const env = { NO_CLEANUP: "1", ...aloneIn(home) };
    const out = await start(["--appimage-extract-and-run"], home, env);
    expect(variables(printed(out))["APPDIR"]).toMatch(new RegExp(`^${home}/.fuselage/cache/`));
  });

  check("a mounted start", async () => {
    const other = path.join(temporaryDirectory(), "renamed");
    copyFileSync(file, other);
    const env = { HOME: temporaryDirectory(), FUSELAGE_MOUNT: "extract" };
    const outcome = await run(qemu, [other, "sh", "-c", 'cat "$APPDIR/usr/bin/tool"'], { env });
    expect(printed(outcome)).toBe(smallAppDir["usr/bin/tool"]);
  });
});
