/** Permissions: what a configuration file and a command line say, what a bundle records, what is shown of it. */
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { build, diff, explain, inspect, type Permissions } from "../../builder/index.ts";
import { decodeManifest } from "../../builder/manifest/decode.ts";
import { encodeManifest } from "../../builder/manifest/encode.ts";
import { permissionChanges } from "../../builder/manifest/permission-changes.ts";
import { permissionsOfRecords } from "../../builder/manifest/permission-rules.ts";
import { permissionWords } from "../../builder/manifest/permission-words.ts";
import { printed } from "../support/bundle-of.ts";
import { helloDirectory } from "../support/hello.ts";
import { bundle, root } from "../support/process.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const all: Permissions = {
  fs: { "/srv/b": "rw", cwd: "rw", "/srv/a, b": "ro", home: "ro" },
  net: { listen: [8080, 0], connect: [8443, 443], udp: true },
  devices: ["input", "gpu"],
  ipc: { dbus: ["org.b.*", "org.a.B"], wayland: true, x11: true },
  exec: "host",
  netns: true,
  pid: false,
  debug: true,
};

const allRules = [
  "fs home ro",
  "fs cwd rw",
  "fs /srv/a, b ro",
  "fs /srv/b rw",
  "net connect 443",
  "net connect 8443",
  "net listen 0",
  "net listen 8080",
  "net udp",
  "devices gpu",
  "devices input",
  "ipc x11",
  "ipc wayland",
  "ipc dbus org.a.B",
  "ipc dbus org.b.*",
  "exec host",
  "debug",
  "netns",
];

/** A folder to write to. */
function hello(): string {
  const dir = path.join(temporaryDirectory(), "hello");
  cpSync(helloDirectory, dir, { recursive: true });
  return dir;
}

const rulesOf = async (permissions: Permissions | undefined, more = {}) => {
  const output = path.join(temporaryDirectory(), "app.run");
  await build({ input: helloDirectory, output, permissions, ...more });
  return { output, rules: (await inspect(output)).manifest?.sandbox };
};

describe("permissions of a build", () => {
  test("are recorded in one order, whatever the order that they were given in", async () => {
    const one = await rulesOf(all);
    expect(one.rules).toEqual(allRules);
    const turned = Object.fromEntries(Object.entries(all).reverse()) as Permissions;
    const other = await rulesOf({
      ...turned,
      fs: Object.fromEntries(Object.entries(all.fs ?? {}).reverse()),
    });
    expect(readFileSync(other.output).equals(readFileSync(one.output))).toBe(true);
  });

  test("say that there is no network and no device, where nothing is allowed", async () => {
    expect((await rulesOf({})).rules).toEqual(["net none", "devices none"]);
    expect((await rulesOf(undefined, { sandbox: true })).rules).toEqual([
      "net none",
      "devices none",
    ]);
    expect((await rulesOf(undefined)).rules).toBeUndefined();
    expect((await rulesOf(undefined, { sandbox: false })).rules).toBeUndefined();
  });

  test("take the whole runtime, which alone knows them", async () => {
    const size = async (more: object) =>
      (await inspect((await rulesOf(undefined, more)).output)).imageOffset;
    expect(await size({ sandbox: true })).toBeGreaterThan((await size({})) + 50_000);
  });

  test("stay when a bundle is built again, unless others are asked for", async () => {
    const { output: input } = await rulesOf({ fs: { "/srv/größe": "ro" } });
    const again = async (more: object) => {
      const output = path.join(temporaryDirectory(), "again.run");
      await build({ input, output, ...more });
      return (await inspect(output)).manifest?.sandbox?.map((rule) =>
        Buffer.from(rule, "latin1").toString(),
      );
    };
    const recorded = ["fs /srv/größe ro", "net none", "devices none"];
    expect(await again({})).toEqual(recorded);
    expect(await again({ compression: "gzip" })).toEqual(recorded);
    expect(await again({ permissions: { net: "all" } })).toEqual(["net all", "devices none"]);
    expect(await again({ sandbox: false })).toBeUndefined();
  });

  test("come from a configuration file, and --sandbox=RULES takes their place", async () => {
    const dir = hello();
    writeFileSync(
      path.join(dir, "bundle.config.json"),
      JSON.stringify({ permissions: { fs: { cwd: "ro" } } }),
    );
    const built = async (...more: string[]) => {
      const output = path.join(temporaryDirectory(), "app.run");
      const { sandbox } = JSON.parse(
        printed(await bundle(["build", dir, "-o", output, "--json", ...more])),
      );
      return sandbox.rules;
    };
    expect(await built()).toEqual(["fs cwd ro", "net none", "devices none"]);
    expect(await built("--sandbox")).toEqual(["fs cwd ro", "net none", "devices none"]);
    expect(await built("--sandbox=net:connect:443", "--sandbox=fs:/a:b:rw,debug")).toEqual([
      "fs /a:b rw",
      "net connect 443",
      "devices none",
      "debug",
    ]);
  });
});

describe("what is refused", () => {
  const refusals: [unknown, string, RegExp][] = [
    ["net", "E_SANDBOX_RULE", /permissions does not take this value: expected an object/],
    [{ nett: "all" }, "E_SANDBOX_RULE", /no such permission: expected "net", found "nett"/],
    [{ fs: { Home: "ro" } }, "E_SANDBOX_RULE", /"fs Home ro": expected an absolute path, or home/],
    [{ fs: { "srv/data": "ro" } }, "E_SANDBOX_RULE", /expected an absolute path/],
    [{ fs: { "/srv/../etc": "ro" } }, "E_SANDBOX_RULE", /without \., \.\. and empty components/],
    [{ fs: { "/srv/": "ro" } }, "E_SANDBOX_RULE", /no slash at its end/],
    [{ fs: { "/srv\n": "ro" } }, "E_SANDBOX_RULE", /without control characters/],
    [{ fs: { [`/${"a".repeat(2048)}`]: "ro" } }, "E_SANDBOX_RULE", /less than 2048 bytes/],
    [{ fs: { "/srv": "rx" } }, "E_SANDBOX_RULE", /expected ro or rw/],
    [{ fs: { "/srv": true } }, "E_SANDBOX_RULE", /expected ro or rw/],
    [{ fs: ["/srv"] }, "E_SANDBOX_RULE", /permissions\.fs does not take this value/],
    [{ net: "some" }, "E_SANDBOX_RULE", /expected net none, all, connect PORT/],
    [{ net: { connect: [0] } }, "E_SANDBOX_RULE", /expected a port from 1 to 65535/],
    [{ net: { listen: [65536] } }, "E_SANDBOX_RULE", /expected a port from 0 to 65535/],
    [{ net: { connect: [1.5] } }, "E_SANDBOX_RULE", /expected a port/],
    [{ net: { connect: 443 } }, "E_SANDBOX_RULE", /permissions\.net\.connect .* a list of ports/],
    [{ net: { accept: [1] } }, "E_SANDBOX_RULE", /permissions\.net does not take this value/],
    [{ net: { udp: true } }, "E_SANDBOX_CONFLICT", /"net udp": without a port/],
    [{ devices: ["camera"] }, "E_SANDBOX_RULE", /expected devices none, gpu, audio, input/],
    [{ devices: ["none", "gpu"] }, "E_SANDBOX_CONFLICT", /contradicts "devices gpu"/],
    [{ ipc: { dbus: ["unix"] } }, "E_SANDBOX_RULE", /expected the name of a service/],
    [{ ipc: { dbus: ["org.a b"] } }, "E_SANDBOX_RULE", /expected the name of a service/],
    [{ ipc: { session: true } }, "E_SANDBOX_RULE", /permissions\.ipc does not take this value/],
    [{ exec: "all" }, "E_SANDBOX_RULE", /permissions\.exec .* own or host/],
    [{ pid: "yes" }, "E_SANDBOX_RULE", /permissions\.pid .* true or false/],
    [
      { fs: { "/srv": "rw", "/srv/a": "ro" } },
      "E_SANDBOX_CONFLICT",
      /"fs \/srv\/a ro": contradicts "fs \/srv rw"/,
    ],
    [{ fs: { "/": "rw", "/srv": "ro" } }, "E_SANDBOX_CONFLICT", /contradicts "fs \/ rw"/],
  ];
  test.each(refusals)("%j", async (permissions, code, words) => {
    await expect(rulesOf(permissions as Permissions)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(words),
    });
  });

  test("on a command line, with the rule", async () => {
    const dir = hello();
    for (const [rules, code, status] of [
      ["net:none,net:connect:443", "E_SANDBOX_CONFLICT", 1],
      ["exec:own,exec:host", "E_SANDBOX_CONFLICT", 1],
      ["fs:/a:ro,fs:/a:rw", "E_SANDBOX_CONFLICT", 1],
      ["files:/a:ro", "E_SANDBOX_RULE", 2],
      ["pid:1", "E_SANDBOX_RULE", 2],
      ["fs:/a", "E_SANDBOX_RULE", 2],
      ["net:connect:0443", "E_SANDBOX_RULE", 2],
    ] as const) {
      const output = path.join(temporaryDirectory(), "app.run");
      const done = await bundle(["build", dir, "-o", output, `--sandbox=${rules}`]);
      expect(done).toMatchObject({
        status,
        stderr: expect.stringContaining(`[${code}] permission "`),
      });
    }
  });

  test("beside what needs the caller's rights, and as no sandbox at all", async () => {
    const input = helloDirectory;
    const output = path.join(temporaryDirectory(), "app.run");
    for (const more of [
      { sandbox: true, needs: ["setuid"] as const },
      { permissions: {}, needs: ["keyring"] as const },
      { permissions: {}, sandbox: false },
    ]) {
      await expect(build({ input, output, ...more })).rejects.toMatchObject({
        code: "E_OPTION_CONFLICT",
      });
    }
    for (const path of ["/usr/share", "/etc", "/var", "/dev/null"]) {
      await expect(
        build({ input, output, root: true, permissions: { fs: { [path]: "ro" } } }),
      ).rejects.toMatchObject({ code: "E_SANDBOX_ROOT", message: expect.stringContaining(path) });
    }
    const root = await build({ input, output, root: true, permissions: { fs: { "/": "ro" } } });
    expect(root.kind).toBe("plain");
  });

  test("names the configuration file", async () => {
    const dir = hello();
    writeFileSync(path.join(dir, "bundle.config.json"), '{ "permissions": { "net": "some" } }');
    const done = await bundle(["build", dir, "-o", path.join(temporaryDirectory(), "app.run")]);
    expect(done.stderr).toMatch(/\[E_SANDBOX_RULE\] .*bundle\.config\.json: permission "net some"/);
  });
});

describe("a manifest of others", () => {
  const manifest = {
    name: "a",
    entry: "a",
    args: [],
    env: [],
    imageSize: 4096,
    version: "",
    arch: "",
  };
  const decoded = (sandbox: string[]) =>
    decodeManifest(encodeManifest({ ...manifest, noRuntimeOptions: false, sandbox }), "app.run");

  test("may repeat a rule and allow more by another one", () => {
    const rules = ["net none", "fs /a ro", "fs /a rw", "net none", "fs /a/b ro"];
    expect(decoded(rules)?.sandbox).toEqual(rules);
    expect(permissionsOfRecords(rules).fs).toEqual({ "/a": "rw", "/a/b": "ro" });
  });

  test("with a rule that is not known is one of a newer builder", () => {
    for (const rule of ["net quic 443", "usb", "fs /a rwx", "", "net  none"]) {
      expect(() => decoded([rule])).toThrow(
        expect.objectContaining({ code: "E_MANIFEST_VERSION" }),
      );
    }
  });

  test("with rules that exclude each other is none", () => {
    for (const rules of [
      ["net none", "net all"],
      ["net all", "net listen 1"],
      ["exec own", "exec host"],
    ]) {
      expect(() => decoded(rules)).toThrow(
        expect.objectContaining({ code: "E_MANIFEST_MALFORMED" }),
      );
    }
  });
});

describe("what people read", () => {
  test("has words for every rule", async () => {
    const { output } = await rulesOf(all);
    const words = JSON.parse(printed(await bundle(["inspect", output, "--json"]))).manifest.sandbox;
    expect(words.rules).toEqual(allRules);
    expect(words.permissions).toMatchObject({ net: { connect: [443, 8443] }, exec: "host" });
    for (const [index, text] of words.words.entries()) expect(text).not.toBe(allRules[index]);
    const text = printed(await bundle(["inspect", output]));
    expect(text).toMatch(
      /^sandbox {6}reads the home folder\n {13}reads and writes the current folder\n/m,
    );
    expect(text).toContain("connects to TCP port 443\n");
  });

  test("stands in an explanation", async () => {
    const { lines } = await explain({ input: helloDirectory, permissions: { fs: { cwd: "rw" } } });
    expect(lines.filter((line) => line.startsWith("sandbox: "))).toEqual([
      "sandbox: reads and writes the current folder",
      "sandbox: uses no network",
      "sandbox: uses no devices",
    ]);
  });

  test("says what an app gains and loses between two bundles", async () => {
    const { output: before } = await rulesOf({ fs: { "/srv": "ro" }, net: { connect: [443] } });
    const { output: after } = await rulesOf({ fs: { "/srv": "rw" }, pid: true });
    const { output: free } = await rulesOf(undefined);
    expect((await diff({ before, after })).permissions).toEqual({
      gained: ["reads and writes /srv"],
      lost: ["connects to TCP port 443", "sees the processes of the machine"],
    });
    const shown = await bundle(["diff", before, free]);
    expect(shown.stdout).toContain(
      "! the app gains: all that its user may do: it has no sandbox\n",
    );
    expect((await diff({ before: free, after })).permissions.gained).toEqual([]);
    expect((await diff({ before, after: before })).same).toBe(true);
  });

  test("counts no rule as gained that another one had allowed", () => {
    const gained = (before: string[], after: string[]) => permissionChanges(before, after).gained;
    expect(gained(["fs /srv rw"], ["fs /srv/a rw", "fs /srv ro"])).toEqual([]);
    expect(gained(["fs /srv ro"], ["fs /srvx ro"])).toEqual(["fs /srvx ro"]);
    expect(gained(["fs / ro"], ["fs /srv ro", "fs home ro"])).toEqual(["fs home ro"]);
    expect(gained(["net all"], ["net connect 1", "net listen 2", "net udp"])).toEqual([]);
    expect(gained(["net connect 1"], ["net listen 1"])).toEqual(["net listen 1"]);
    expect(gained(["ipc dbus org.a.*"], ["ipc dbus org.a.B", "ipc dbus org.ab.C"])).toEqual([
      "ipc dbus org.ab.C",
    ]);
    expect(gained(["pid", "net none"], ["net none"])).toEqual(["no pid"]);
    expect(permissionWords("no pid")).toBe("sees the processes of the machine");
  });
});

test("the schema of a configuration file takes what a build takes", () => {
  const schema = JSON.parse(
    readFileSync(path.join(root, "dist/bundle.config.schema.json"), "utf8"),
  );
  const { permissions } = schema.properties;
  const words = ["fs", "net", "devices", "ipc", "exec", "debug", "userns", "pid", "netns", "ipcns"];
  expect(Object.keys(permissions.properties)).toEqual(words);
  expect(permissions.additionalProperties).toBe(false);
});
