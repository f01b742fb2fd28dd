/** `bundle vm run --root`: a system around an app that wants one. */
import { copyFileSync, cpSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, expect } from "vitest";
import { build } from "../../builder/api/build.ts";
import { mksquashfs } from "../support/bundle-of.ts";
import { skipUnless } from "../support/needs.ts";
import { rootBundle } from "../support/root-image.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { EMULATED, vm } from "../support/vm.ts";

const needs = ["vm", "busybox", "mksquashfs"] as const;
const testVm = skipUnless(...needs);

/** Starts `env`, which needs a libc and has none. */
let app: string;

beforeAll(async () => {
  const dir = temporaryDirectory();
  mkdirSync(path.join(dir, "app"));
  copyFileSync("/usr/bin/env", path.join(dir, "app/env"));
  writeFileSync(path.join(dir, "app/note"), "of the app\n");
  app = path.join(dir, "env.run");
  await build({ input: path.join(dir, "app"), output: app, entry: "env", libc: "host" });
});

const runWith = (root: string, script: string, file = app) =>
  vm(["run", file, ...EMULATED, "--root", root, "--", "sh", "-c", script]);

/** A squashfs file with a shell and the libc of this machine. */
async function system(): Promise<string> {
  const dir = path.join(temporaryDirectory(), "system");
  for (const name of ["bin", "etc", "lib64", "lib/x86_64-linux-gnu"]) {
    mkdirSync(path.join(dir, name), { recursive: true });
  }
  copyFileSync("/usr/bin/busybox", path.join(dir, "bin/busybox"));
  for (const name of ["sh", "cat", "id"]) symlinkSync("busybox", path.join(dir, "bin", name));
  cpSync("/lib64/ld-linux-x86-64.so.2", path.join(dir, "lib64/ld-linux-x86-64.so.2"), {
    dereference: true,
  });
  const libc = "lib/x86_64-linux-gnu/libc.so.6";
  cpSync(path.join("/", libc), path.join(dir, libc), { dereference: true });
  writeFileSync(path.join(dir, "etc/around"), "of the system\n");
  return mksquashfs(dir, "-all-root", "-comp", "xz");
}

testVm("a dynamic program in an image with its libc, which it can change in memory", async () => {
  const script =
    'cat /etc/around "$FUSELAGE_BUNDLE_DIR/note"; echo new >/etc/around && cat /etc/around; id -u; exit 7';
  const image = await system();
  const first = await runWith(image, script);
  expect(first).toMatchObject({ status: 7, stdout: "of the system\nof the app\nnew\n0\n" });
  const again = await runWith(image, "cat /etc/around");
  expect(again).toMatchObject({ status: 0, stdout: "of the system\n" });
});

testVm("without it the app's libc is missed; a bundle's image lacks it too", async () => {
  const bare = await vm(["run", app, ...EMULATED, "--", "true"]);
  const other = await runWith(await rootBundle({ "etc/around": "x" }), "true");
  for (const { status, stderr } of [bare, other]) {
    expect([status, stderr]).toEqual([125, expect.stringContaining("[E_VM_START]")]);
    expect(stderr).toContain("/lib64/ld-linux-x86-64.so.2");
  }
});

testVm(
  "what is no system: a folder, nothing, another program; and an app that is one",
  async () => {
    const root = await rootBundle();
    const none = path.join(temporaryDirectory(), "none");
    const refused = [
      [await runWith(temporaryDirectory(), "true"), "E_VM_BUNDLE", "bundle build FOLDER"],
      [await runWith(none, "true"), "E_INPUT_MISSING", none],
      [await runWith(`${root}/x`, "true"), "E_FILE_UNREADABLE", "not a directory"],
      [await runWith("/usr/bin/env", "true"), "E_IMAGE_MISSING", "/usr/bin/env"],
      [await runWith(root, "true", root), "E_VM_BUNDLE", "root directory itself"],
    ] as const;
    for (const [{ status, stderr }, code, words] of refused) {
      expect([status === 0, stderr]).toEqual([false, expect.stringContaining(`[${code}]`)]);
      expect(stderr).toContain(words);
    }
    const args = ["--root", root, "-o", path.join(temporaryDirectory(), "s")];
    const snapshot = await vm(["snapshot", app, ...EMULATED, ...args]);
    expect([snapshot.status, snapshot.stderr]).toEqual([
      2,
      expect.stringContaining("[E_OPTION_CONFLICT]"),
    ]);
  },
);
