/** Whose rules hold: those that a bundle declares, those of a command line, and the user's word. */
import { writeFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect } from "vitest";
import { frontPath } from "../../builder/host/paths.ts";
import { bundleOf } from "../support/bundle-of.ts";
import { fenced, fencedWays, startAs } from "../support/fenced.ts";
import { skipUnless } from "../support/needs.ts";
import { rootBundle } from "../support/root-image.ts";
import { homeOf, imageOf, runnerOf } from "../support/runner.ts";

let image: string;
/** Declares the home, to be read, and the host's programs. */
let declared: string;
let plain: string;
beforeAll(async () => {
  const script = "#!/bin/sh\ncat $HOME/mine; grep -c '^Seccomp:.2' /proc/self/status\n";
  image = await imageOf({ run: script, file: "packed\n" });
  declared = await bundleOf(image, { sandbox: ["fs home ro", "exec host"] });
  plain = await bundleOf(image, {}, frontPath("x86_64"));
});

describe.each(fencedWays)("the word of the user, $title,", (way) => {
  const test = skipUnless(...way.needs, "mksquashfs");

  async function said(file: string, word: string | undefined) {
    const home = homeOf(way);
    writeFileSync(path.join(home, "mine"), "my own\n");
    const { stdout, stderr } = await startAs(way, [file], home, {
      cwd: "/",
      env: { FUSELAGE_SANDBOX: word },
    });
    return `${stdout}${stderr}`;
  }

  test("a bundle with rules starts in its sandbox, unless the user says off", async () => {
    expect(await said(declared, undefined)).toBe("my own\n1\n");
    expect(await said(declared, "")).toBe("my own\n1\n");
    expect(await said(declared, "on")).toBe("my own\n1\n");
    expect(await said(declared, "strict")).toBe("my own\n1\n");
    expect(await said(declared, "off")).toBe("my own\n0\n");
  });

  test("rules of the user take the place of the declared ones, and deny takes some away", async () => {
    expect(await said(declared, "exec:host")).toMatch(/No such file/);
    expect(await said(declared, "deny:fs:home")).toContain("No such file");
    expect(await said(declared, "deny:fs")).toContain("No such file");
    expect(await said(declared, "deny:net,exec")).toMatch(/denied|E_/);
    expect(await said(declared, "strict,deny:net")).toBe("my own\n1\n");
    expect(await said(declared, "fs:home:rw,exec:host,deny:fs:home")).toContain("No such file");
  });

  test("what is no rule is refused before anything starts", async () => {
    for (const word of [
      "yes",
      "fs:relative:ro",
      "net:connect:70000",
      "off,net:none",
      "fs:/a/../b:ro",
      "deny:nothing",
      "net",
      "fs:/a",
      "strict,",
      "ipc:dbus:x y",
    ]) {
      expect(await said(declared, word)).toContain("[E_SANDBOX_RULE]");
    }
    for (const word of [
      "net:none,net:all",
      "exec:own,exec:host",
      "net:udp",
      "devices:none,devices:gpu",
      "net:all,net:connect:1",
    ]) {
      expect(await said(declared, word)).toContain("[E_SANDBOX_CONFLICT]");
    }
    const unknown = await bundleOf(image, { sandbox: ["fly away"] }).catch(
      (error: Error) => error.message,
    );
    if (unknown.startsWith("/"))
      expect(await said(unknown, undefined)).toContain("[E_SANDBOX_RULE]");
  });

  test("a bundle without rules and with the small program never starts unfenced by mistake", async () => {
    expect(await said(plain, undefined)).toBe("my own\n0\n");
    expect(await said(plain, "off")).toBe("my own\n0\n");
    for (const word of ["on", "strict", "deny:net", "net:none"]) {
      const text = await said(plain, word);
      expect(text).toContain("[E_SANDBOX_FRONT]");
      expect(text).toContain(`fuselage --sandbox --static=app:${plain} --run app/run`);
    }
    const more = await bundleOf(image, { args: ["x"] }, frontPath("x86_64"));
    expect(await said(more, "on")).toContain(`bundle build ${more} -o NEW --sandbox`);
    const home = homeOf(way);
    const args = ["--static", `app:${plain}`, "--run", "app/run"];
    const { stdout } = await fenced(way, "exec:host", args, home, { cwd: "/" });
    expect(stdout).toBe("1\n");
  });

  test("an app that declares nothing is denied what the user says, and has the rest", async () => {
    const home = homeOf(way);
    writeFileSync(path.join(home, "mine"), "my own\n");
    const script =
      "cat $HOME/mine /etc/hostname > /dev/null && echo read; python3 -c 'import socket; socket.socket()' 2>&1 | tail -1";
    const start = (word: string) =>
      startAs(way, [runnerOf(way), "sh", "-c", script], home, { env: { FUSELAGE_SANDBOX: word } });
    expect((await start("deny:net")).stdout).toMatch(/^read\nPermissionError/);
    expect((await start("deny:debug")).stdout).toBe("read\n");
    expect((await start("deny:fs")).stdout).toBe("");
    expect((await start("off")).stdout).toBe("read\n");
  });

  const ofRoot = skipUnless(...way.needs, "mksquashfs", "busybox");
  ofRoot("a bundle whose root directory is the image takes it, too", async () => {
    const script = "cat $HOME/mine; grep -c '^Seccomp:.2' /proc/self/status";
    const file = await rootBundle({}, { cmd: ["sh", "-c", script] });
    expect(await said(file, "on")).toMatch(/mine'?: No such file or directory\n/);
    expect(await said(file, "fs:home:ro")).toBe("my own\n1\n");
    expect(await said(file, "deny:net")).toBe("my own\n1\n");
  });

  test("the doctor says what is enforced", async () => {
    const { stdout } = await startAs(way, [declared, "--bundle-doctor"], homeOf(way));
    expect(stdout).toMatch(/^sandbox {5}on: all of it is enforced here$/m);
    expect(stdout).toMatch(/^ {2}may {7}reads the home folder: Landlock, private directories$/m);
    expect(stdout).toMatch(/^ {2}closed {4}network: filter of system calls$/m);
  });
});
