/** What a bundle itself and the doctor say of permissions: the words are those of `bundle inspect`. */
import { cpSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import type { Permissions } from "../../builder/index.ts";
import { printed } from "../support/bundle-of.ts";
import { packHello } from "../support/hello.ts";
import { bundle, fuselage, root, run } from "../support/process.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const permissions: Permissions = {
  fs: { home: "ro", cwd: "rw", downloads: "ro", "app-data": "rw", "/srv/a b": "ro" },
  net: { connect: [443], listen: [0, 8080], udp: true },
  devices: ["gpu", "audio", "input"],
  ipc: { x11: true, wayland: true, dbus: ["org.example.One"] },
  exec: "host",
  debug: true,
  userns: true,
  pid: true,
  netns: true,
  ipcns: true,
};

/** What is said of a sandbox, from its first line on. */
const fromSandbox = (text: string) => {
  const lines = text.split("\n");
  return lines.slice(lines.findIndex((line) => line.startsWith("sandbox "))).join("\n");
};

test("--bundle-info has the words of bundle inspect, for every rule", async () => {
  const file = await packHello({ permissions });
  const info = printed(await run(file, ["--bundle-info"]));
  const said = [...info.matchAll(/^sandbox: {5}(.*)$/gm)].map(([, words]) => words);
  const shown = JSON.parse(printed(await bundle(["inspect", file, "--json"])));
  expect(said).toEqual(shown.manifest.sandbox.words);
  expect(said).toHaveLength(21);
  expect(printed(await run(await packHello(), ["--bundle-info"]))).not.toContain("sandbox");
});

describe("the doctor", () => {
  test("says of each permission what keeps the app to it", async () => {
    const file = await packHello({
      permissions: { fs: { cwd: "rw" }, net: { connect: [443] }, devices: ["gpu"] },
    });
    const own = fromSandbox(printed(await run(file, ["--bundle-doctor"])));
    expect(own).toMatch(/^sandbox {5}on: (all of it|not all of it) is enforced here\n/);
    expect(own).toMatch(
      /\n {2}here {6}Landlock \d+: .*\n {12}filter of system calls: (yes|none)\n/,
    );
    expect(own).toMatch(/\n {12}private directories and namespaces: .+\n/);
    for (const words of [
      "reads and writes the current folder: ",
      "connects to TCP port 443: ",
      "uses the graphics card",
    ]) {
      expect(own).toContain(`  may       ${words}`);
    }
    expect(own).not.toContain("the home folder");
    const ours = fromSandbox(printed(await bundle(["doctor", file])));
    expect(ours.trim()).toBe(own.trim());
    const { sandbox } = JSON.parse(printed(await bundle(["doctor", file, "--json"])));
    const lines = [sandbox.state, ...sandbox.here, ...sandbox.may, ...sandbox.closed];
    expect([...lines, ...sandbox.open].sort()).toEqual(
      own
        .trim()
        .split("\n")
        .map((line) => line.slice(12))
        .sort(),
    );
    expect(sandbox.may.join("\n")).toMatch(/: Landlock/);
    // The array is of ways to mount.
    const json = await run(file, ["--bundle-doctor", "--json"]);
    expect(JSON.parse(json.stdout)).toHaveLength(4);
    expect(fromSandbox(json.stderr).trim()).toBe(own.trim());
  });

  test("follows the user's word", async () => {
    const file = await packHello({ permissions: { fs: { cwd: "rw" } } });
    const say = async (word: string) =>
      fromSandbox(
        printed(await run(file, ["--bundle-doctor"], { env: { FUSELAGE_SANDBOX: word } })),
      );
    expect(await say("off")).toMatch(
      /^sandbox {5}none: the app may do what its user may\n {2}here/,
    );
    expect(await say("strict")).toMatch(/^sandbox {5}strict/);
    expect(await say("deny:fs")).not.toContain("the current folder");
    expect(await say("fs:/srv:ro")).toContain("  may       reads /srv: ");
  });

  test("says what there is where nothing is declared", async () => {
    const none = /^sandbox {5}none: the app may do what its user may\n {2}here {6}Landlock \d/;
    expect(fromSandbox(printed(await bundle(["doctor"])))).toMatch(none);
    const image = await packHello();
    const said = await run(fuselage, ["--doctor=text", `--static=x:${image}`]);
    expect(fromSandbox(printed(said))).toMatch(none);
  });
});

test("the example says what it cannot reach", async () => {
  const cwd = temporaryDirectory();
  const dir = path.join(temporaryDirectory(), "fenced");
  cpSync(path.join(root, "examples/fenced"), dir, { recursive: true });
  const output = path.join(temporaryDirectory(), "fenced.run");
  expect(await bundle(["build", dir, "-o", output])).toMatchObject({ status: 0 });
  const start = async (word: string) =>
    printed(await run(output, [], { cwd, env: { FUSELAGE_SANDBOX: word, FUSELAGE_LINGER: "0" } }));
  const open = await start("off");
  expect(open).toContain("signal the program that started it: yes\n");
  expect(open).toContain("read the machine's list of shells: yes\n");
  const fenced = await start("");
  expect(fenced).toContain("write to the current folder: yes\n");
  expect(fenced).toContain("read its own files: yes\n");
  expect(fenced).toContain("read the machine's list of shells: no\n");
});
