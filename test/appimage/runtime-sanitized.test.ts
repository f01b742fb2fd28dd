/** Every way through the code of AppImages once with AddressSanitizer and UBSan. */
import { copyFileSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import path from "node:path";
import { beforeAll, expect } from "vitest";
import { appImage, magic, smallAppDir } from "../support/appimage.ts";
import { skipUnless } from "../support/needs.ts";
import { run } from "../support/process.ts";
import { buildSanitized } from "../support/sanitized.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const check = skipUnless("gcc", "userns");
const files = new Map<string, string>();
beforeAll(async () => {
  const { runtime } = await buildSanitized();
  const sections = { ".upd_info": "u".repeat(1024), ".sha256_sig": "s" };
  files.set("plain", await appImage(smallAppDir, { runtime, sections }));
  files.set("broken", await appImage({ file: "" }, { runtime }));
  files.set("zeroed", await unmarked(await appImage(smallAppDir, { runtime })));
  files.set("zeroed, no AppRun", await unmarked(await appImage({ file: "" }, { runtime })));
  files.set("manifest", await appImage(smallAppDir, { runtime, manifest: {} }));
}, 600_000);

/** Takes the magic away. */
async function unmarked(file: string): Promise<string> {
  const handle = await open(file, "r+");
  await handle.write(Buffer.alloc(magic.length), 0, magic.length, 8);
  await handle.close();
  return file;
}

type Step = [file: string, args: string[], env?: Record<string, string>];
const steps: Step[] = [
  ...["help", "offset", "version", "updateinfo", "signature", "portable-home", "nonsense"].map(
    (name): Step => ["plain", [`--appimage-${name}`]],
  ),
  ["plain", ["--appimage-extract"]],
  ["plain", ["--appimage-extract", "*[", "[!a-", "usr/*\\", "[]-a]*", "**?", "["]],
  ["plain", ["--appimage-extract"]],
  ["plain", []],
  ["manifest", ["x"]],
  ["plain", ["--appimage-extract-and-run"]],
  ["plain", [], { APPIMAGE_EXTRACT_AND_RUN: "1", NO_CLEANUP: "1" }],
  ["plain", [], { APPIMAGE_EXTRACT_AND_RUN: "1", NO_CLEANUP: "1" }],
  ["plain", ["--appimage-offset"], { TARGET_APPIMAGE: "manifest" }],
  ["plain", [], { TARGET_APPIMAGE: "/nonexistent" }],
  ["zeroed", ["--appimage-offset"]],
  ["zeroed", [], { TARGET_APPIMAGE: "manifest" }],
  ["zeroed, no AppRun", ["true"]],
  ["broken", [], { DISPLAY: ":99" }],
];

check("nothing is found", async () => {
  const dir = temporaryDirectory();
  for (const [name, file] of files) copyFileSync(file, path.join(dir, name));
  mkdirSync(path.join(dir, "bin"));
  const log = path.join(dir, "asan");
  const shown = path.join(dir, "shown");
  writeFileSync(path.join(dir, "bin/notify-send"), `#!/bin/sh\n: > ${shown}\n`, { mode: 0o755 });
  const options = `detect_leaks=0:log_path=${log}`;
  for (const [file, args, env] of steps) {
    await run(path.join(dir, file), args, {
      cwd: dir,
      env: {
        ...{ HOME: dir, TMPDIR: dir, PATH: `${path.join(dir, "bin")}:${process.env["PATH"]}` },
        ...{ ASAN_OPTIONS: options, UBSAN_OPTIONS: `log_path=${log}:print_stacktrace=1` },
        ...env,
      },
    });
  }
  await expect.poll(() => readdirSync(dir)).toContain("shown");
  expect(readdirSync(dir).filter((name) => name.startsWith("asan"))).toEqual([]);
  expect(readdirSync(path.join(dir, "squashfs-root")).sort()).toEqual(
    ["AppRun", "tool.desktop", "usr"].sort(),
  );
});
