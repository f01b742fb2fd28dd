/** A start that fails: exit status 127, words on stderr, and where nobody sees those, on the desktop. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { appImage, appRun } from "../support/appimage.ts";
import { skipUnless } from "../support/needs.ts";
import { run } from "../support/process.ts";
import { temporaryDirectory } from "../support/temporary.ts";

let withoutAppRun: string;
beforeAll(async () => {
  withoutAppRun = await appImage({ "usr/file": "" }, { name: "Broken <b>&.AppImage" });
});

describe("every failure of a start has exit status 127", () => {
  const start = (file: string, env: Record<string, string> = {}) =>
    run(file, ["x"], { env: { HOME: temporaryDirectory(), ...env } });

  test.each([
    ["there is no AppRun", { "usr/file": "" }, /\[E_ENTRY_MISSING\] .*: AppRun: not in the image/],
    ["AppRun cannot be executed", { AppRun: "no script" }, /\[E_ENTRY_NOT_EXECUTABLE\]/],
    ["AppRun is a folder", { "AppRun/f": "" }, /\[E_ENTRY_NOT_EXECUTABLE\].*not a regular file/],
    ["AppRun leads nowhere", { AppRun: { link: "nowhere" } }, /\[E_ENTRY_MISSING\]/],
    ["its interpreter is missing", { AppRun: "#!/no/such\n" }, /\[E_ENTRY_INTERPRETER\]/],
  ])("%s", async (_, files, words) => {
    const { status, stdout, stderr } = await start(await appImage(files));
    expect({ status, stdout }).toEqual({ status: 127, stdout: "" });
    expect(stderr).toMatch(words);
  });

  test("the file is cut short", async () => {
    const file = await appImage();
    const offset = Number((await run(file, ["--appimage-offset"])).stdout);
    for (const [length, words] of [
      [offset + 200, /\[E_IMAGE_TRUNCATED\]/],
      [offset, /\[E_IMAGE_MISSING\]/],
    ] as const) {
      truncateSync(file, length);
      const { status, stderr } = await start(file);
      expect(status).toBe(127);
      expect(stderr).toMatch(words);
    }
  });

  test("no strategy works", async () => {
    const env = { FUSELAGE_MOUNT: "fusermount", FUSERMOUNT_PROG: "/nonexistent" };
    const { status, stderr } = await start(await appImage(), env);
    expect(status).toBe(127);
    expect(stderr).toMatch(/\[E_MOUNT_REFUSED\] .*\n {2}fusermount: /);
  });

  test("but the app's own status is its own", async () => {
    const file = await appImage({ AppRun: appRun });
    const { status } = await run(file, ["sh", "-c", "exit 125"]);
    expect(status).toBe(125);
  });
});

/** A folder of programs that write down how they were called; `status` by name. */
function fakeDesktop(programs: Record<string, string>): { bin: string; log: string } {
  const bin = temporaryDirectory();
  chmodSync(bin, 0o777);
  const log = path.join(bin, "log");
  for (const [name, body] of Object.entries(programs)) {
    const script = `#!/bin/sh\n{ echo "${name}"; for a; do printf '<%s>\\n' "$a"; done; } >> "${log}.part"\n${body}\n`;
    writeFileSync(path.join(bin, name), script);
    chmodSync(path.join(bin, name), 0o755);
  }
  return { bin, log };
}

const done = 'mv "$0-log" "$0-done" 2>/dev/null; : > "${0%/*}/log"; exit 0';

async function failOn(bin: string, env: Record<string, string | undefined> = { DISPLAY: ":99" }) {
  const outcome = await run(withoutAppRun, [], {
    env: { HOME: temporaryDirectory(), PATH: bin, WAYLAND_DISPLAY: undefined, ...env },
  });
  expect(outcome.status).toBe(127);
  expect(outcome.stderr).toContain("[E_ENTRY_MISSING]");
}

const calls = async ({ log }: { log: string }) => {
  await expect.poll(() => existsSync(log)).toBe(true);
  return readFileSync(`${log}.part`, "utf8");
};

describe("without a terminal the desktop shows it", () => {
  test("by a notification, without a shell and without markup", async () => {
    const desktop = fakeDesktop({ "notify-send": done, zenity: done });
    await failOn(desktop.bin);
    const said = await calls(desktop);
    expect(said).toMatch(/^notify-send\n/);
    expect(said).toContain("<Cannot start Broken <b>&.AppImage>");
    expect(said).toContain("Broken _b>_.AppImage: AppRun: not in the image");
    expect(said).not.toContain("zenity");
  });

  test.each([
    [
      "zenity",
      { "notify-send": "exit 1", zenity: done },
      /^notify-send\n[\s\S]*\nzenity\n<--error>/,
    ],
    ["kdialog", { kdialog: done, xmessage: done }, /^kdialog\n<--title>/],
    ["xmessage", { xmessage: done }, /^xmessage\n<-center>/],
  ])("by %s where the ones before it are missing or fail", async (_, programs, words) => {
    const desktop = fakeDesktop(programs as Record<string, string>);
    await failOn(desktop.bin, { WAYLAND_DISPLAY: "wayland-0" });
    expect(await calls(desktop)).toMatch(words);
  });

  test("a dialog that stays open holds nobody up, and has no descriptor of the caller's", async () => {
    const wait =
      'ls -l /proc/self/fd > "$0-fds"; while [ ! -e "$0-release" ]; do sleep 0.05; done; : > "${0%/*}/log"';
    const desktop = fakeDesktop({ zenity: wait });
    for (const name of ["ls", "sleep"]) {
      writeFileSync(path.join(desktop.bin, name), `#!/bin/sh\nexec /bin/${name} "$@"\n`);
      chmodSync(path.join(desktop.bin, name), 0o755);
    }
    await failOn(desktop.bin); // Ends although the dialog does not, and so do its pipes.
    expect(existsSync(desktop.log)).toBe(false);
    writeFileSync(path.join(desktop.bin, "zenity-release"), "");
    await calls(desktop);
    const open = readFileSync(path.join(desktop.bin, "zenity-fds"), "utf8");
    expect(open).not.toMatch(/pipe:|socket:/);
  });

  test("not without a display, and not for an option", async () => {
    const desktop = fakeDesktop({ "notify-send": done });
    await failOn(desktop.bin, { DISPLAY: undefined });
    await failOn(desktop.bin, { DISPLAY: "" });
    const env = { PATH: desktop.bin, DISPLAY: ":99" };
    expect((await run(withoutAppRun, ["--appimage-nonsense"], { env })).status).toBe(1);
    expect((await run(withoutAppRun, ["--bundle-nonsense"], { env })).status).toBe(125);
    // A later one is seen, so the earlier ones would have been.
    await failOn(desktop.bin);
    expect((await calls(desktop)).match(/^notify-send$/gm)).toHaveLength(1);
  });

  skipUnless("python3")("not on a terminal", async () => {
    const desktop = fakeDesktop({ "notify-send": done });
    const env = { HOME: temporaryDirectory(), DISPLAY: ":99" };
    const script = `import os,pty,sys
os.environ["PATH"]=sys.argv[2]
sys.exit(os.waitstatus_to_exitcode(pty.spawn([sys.argv[1]])))`;
    const outcome = await run("python3", ["-c", script, withoutAppRun, desktop.bin], { env });
    expect(outcome.stdout).toContain("[E_ENTRY_MISSING]");
    expect(outcome.status).toBe(127);
    await failOn(desktop.bin);
    expect((await calls(desktop)).match(/^notify-send$/gm)).toHaveLength(1);
  });

  skipUnless("root")("never for a setuid-root file", async () => {
    const desktop = fakeDesktop({ "notify-send": done });
    const dir = temporaryDirectory();
    mkdirSync(path.join(dir, "d"));
    const file = path.join(dir, "setuid.AppImage");
    writeFileSync(file, readFileSync(withoutAppRun));
    chmodSync(file, 0o4755);
    const env = { HOME: dir, PATH: desktop.bin, DISPLAY: ":99" };
    const outcome = await run(file, [], { env, uid: 1000, gid: 1000 });
    expect(outcome.status).toBe(127);
    await failOn(desktop.bin);
    expect((await calls(desktop)).match(/^notify-send$/gm)).toHaveLength(1);
  });
});
