/** Units as systemd itself reads them, from bundles and names that nobody would choose. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { exportEngine } from "../../builder/api/export-engine.ts";
import { writeImage } from "../../builder/api/write-image.ts";
import { systemd, systemdUnits } from "../../builder/engines/systemd/systemd.ts";
import type { Manifest } from "../../builder/manifest/manifest.ts";
import { byteString } from "../../builder/tree/path.ts";
import { engineFacts } from "../support/engine-facts.ts";
import { packHello } from "../support/hello.ts";
import { skipUnless } from "../support/needs.ts";
import { run } from "../support/process.ts";
import { temporaryDirectory } from "../support/temporary.ts";

let hello: string;
beforeAll(async () => {
  hello = await packHello();
});

/** One that is there for `systemd-analyze verify`, which looks. */
const program = "/bin/true";

async function verified(files: Awaited<ReturnType<typeof systemd.files>>): Promise<string> {
  const dir = temporaryDirectory();
  mkdirSync(dir, { recursive: true });
  for (const { name, text } of files) writeFileSync(path.join(dir, name), text);
  const names = files.map(({ name }) => name).filter((name) => !name.endsWith(".conf"));
  const units = names.map((name) => path.join(dir, name));
  const { status, stdout, stderr } = await run("systemd-analyze", ["verify", ...units]);
  return `${stdout}${stderr}${status === 0 ? "" : `status ${status}`}`;
}

/** `systemd-analyze security`: 0 is the least that a service can do, 10 the most. */
async function exposure(text: string): Promise<number> {
  const dir = temporaryDirectory();
  mkdirSync(dir, { recursive: true });
  const unit = path.join(dir, "app.service");
  writeFileSync(unit, text);
  const args = ["security", "--offline=true", "--no-pager", unit];
  const { stdout } = await run("systemd-analyze", args, { env: { LC_ALL: "C" } });
  return Number(/exposure level for \S+: ([0-9.]+)/.exec(stdout)?.[1]);
}

const textOf = (files: Awaited<ReturnType<typeof systemd.files>>, name: string) =>
  files.find((file) => file.name === name)?.text ?? "";

describe("units of systemd", () => {
  const tested = skipUnless("systemdAnalyze");

  tested("are taken without a word", async () => {
    const settings = { program, args: ["serve"], env: ["A=1"], sockets: ["8080"] };
    expect(await verified(await systemd.files(engineFacts(), settings))).toBe("");
    const root = engineFacts({ root: "image", entry: undefined, ports: ["80/tcp", "53/udp"] });
    const units = await systemd.files(root, { program, sockets: ["ports"] });
    expect(await verified(units)).toBe("");
    expect(textOf(units, "app.socket")).toContain("ListenStream=80\nListenDatagram=53\n");
  });

  test("give a variable the value that was named, and listen on an address once", async () => {
    const settings = {
      program,
      env: ["HOME=/srv", "A=1", "FUSELAGE_MOUNT=fuse"],
      sockets: ["8080", "8080/tcp", "8080/udp", "ports"],
    };
    const facts = engineFacts({ ports: ["8080/tcp", "8080-8081/tcp"] });
    const files = await systemd.files(facts, settings);
    expect(textOf(files, "app.socket").match(/^Listen.*$/gm)).toEqual([
      ...["ListenStream=8080", "ListenStream=8081"],
      "ListenDatagram=8080",
    ]);
    const users = systemdUnits(facts, settings, true);
    for (const text of [textOf(files, "app.service"), textOf(users, "app.service")]) {
      // Of two assignments systemd takes the later one.
      expect(text.match(/^Environment=.*$/gm)?.slice(-3)).toEqual([
        ...['Environment="HOME=/srv"', 'Environment="A=1"', 'Environment="FUSELAGE_MOUNT=fuse"'],
      ]);
    }
  });

  tested("say what the service may have, and that the app says when it is up", async () => {
    const settings = { program, cpus: 2, memory: "1G", notify: true };
    const files = await systemd.files(engineFacts(), settings);
    expect(await verified(files)).toBe("");
    const lines = ["Type=notify", "CPUQuota=200%", "MemoryMax=1G"];
    for (const made of [files, systemdUnits(engineFacts(), settings, true)]) {
      expect(textOf(made, "app.service").match(/^(Type|CPUQuota|MemoryMax)=.*$/gm)).toEqual(lines);
    }
    const usual = textOf(await systemd.files(engineFacts(), { program }), "app.service");
    expect(usual.match(/^(Type|CPUQuota|MemoryMax)=.*$/gm)).toEqual(["Type=exec"]);
    const root = engineFacts({ root: "image", entry: undefined });
    expect(() => systemd.files(root, settings)).toThrow(
      expect.objectContaining({ code: "E_ENGINE_INPUT" }),
    );
  });

  tested("are taken whatever an image says of itself", async () => {
    const hostile = [
      "a\nExecStart=/bin/sh -c id\nb",
      "ends in a backslash\\",
      "%n %% %Z",
      "\"quoted\" 'too'",
      "\u2028[Service]\u0085User=root\u0000\u001b[31m",
      "   ",
    ];
    for (const text of hostile) {
      const labels = [`org.opencontainers.image.description=${byteString(text)}`];
      const bad = engineFacts({ root: "image", labels, name: byteString(text), cmd: [] });
      const units = await systemd.files(bad, {
        program,
        args: [text.replaceAll("\0", "")],
        env: [`A=${text.replaceAll("\0", "")}`],
      });
      expect(await verified(units), JSON.stringify(text)).toBe("");
      const [service] = units;
      expect(service?.name).toMatch(/^[A-Za-z0-9_.-]+\.service$/);
      const keys = service?.text.match(/^(ExecStart=".bin.true"|User=bundle-)/gm);
      expect(keys, JSON.stringify(text)).toEqual(['ExecStart="/bin/true"', "User=bundle-"]);
      expect(service?.text.match(/^(ExecStart|User)=/gm)).toHaveLength(2);
    }
  });

  tested("keep the service from what it does not need", async () => {
    const usual = await systemd.files(engineFacts(), { program });
    expect(await exposure(textOf(usual, "app.service"))).toBeLessThanOrEqual(1.1);
    const fenced = engineFacts({ sandbox: ["net none", "devices none", "fs /srv/data ro"] });
    const declared = textOf(await systemd.files(fenced, { program }), "app.service");
    expect(await exposure(declared)).toBeLessThanOrEqual(0.2);
    const connected = engineFacts({ sandbox: ["net connect 443", "net udp", "devices gpu"] });
    const open = textOf(await systemd.files(connected, { program }), "app.service");
    expect(await exposure(open)).toBeLessThanOrEqual(1.1);
    const mounted = await systemd.files(engineFacts({ mountAt: "/run/fuselage/app" }), {
      program,
    });
    expect(await exposure(textOf(mounted, "app.service"))).toBeLessThanOrEqual(1.6);
    const root = { root: "image", entry: undefined } as const;
    for (const sandbox of [["net none"], ["net connect 443", "net udp", "devices gpu", "pid"]]) {
      const image = await systemd.files(engineFacts({ ...root, sandbox }), { program });
      const most = sandbox[0] === "net none" ? 1 : 2;
      expect(await exposure(textOf(image, "app.service")), sandbox[0]).toBeLessThanOrEqual(most);
    }
  });
});

describe("what an app declares", () => {
  const linesOf = async (sandbox: string[], more: Partial<Manifest> = {}) => {
    const [service] = await systemd.files(engineFacts({ sandbox, ...more }), { program });
    return service?.text.split("\n") ?? [];
  };

  test("is what its service may do", async () => {
    const home = ["", "home", "shared"].join("/");
    const none = await linesOf(["net none", "devices none"]);
    expect(none).toContain("PrivateNetwork=yes");
    expect(none).toContain("RestrictAddressFamilies=AF_UNIX");
    expect(none).toContain("PrivateDevices=yes");
    const some = await linesOf([
      "fs /srv/a b%n ro",
      `fs ${home} rw`,
      "fs home rw",
      "net connect 443",
      "devices gpu",
      "devices audio",
      "debug",
      "userns",
    ]);
    expect(some.filter((line) => /^(Bind|DeviceAllow|Protect.*Home)/.test(line))).toEqual([
      "ProtectHome=tmpfs",
      'BindReadOnlyPaths="-/srv/a b%%n"',
      ...["BindPaths=-/dev/dri", "BindPaths=-/dev/snd"],
      `BindPaths="-${home}"`,
      "DeviceAllow=char-drm rw",
      "DeviceAllow=char-alsa rw",
    ]);
    expect(some).toContain("RestrictNamespaces=user mnt pid net ipc uts");
    expect(some.join()).toContain("SystemCallFilter=@system-service @mount @debug seccomp ");
    expect(some).not.toContain("PrivateNetwork=yes");
  });

  test("has no path that a unit cannot bind", async () => {
    await expect(linesOf(["fs /srv/a:b rw"])).rejects.toMatchObject({ code: "E_ENGINE_INPUT" });
  });
});

describe("what units cannot say", () => {
  const refused = (settings: Parameters<typeof systemd.files>[1], more: Partial<Manifest> = {}) =>
    expect(async () => systemd.files(engineFacts(more), { program: "/opt/app.run", ...settings }));

  test.each(['/opt/a"b', "/opt/a'b", "/opt/a\\b", "/opt/a\nb"])(
    "%j is no path",
    async (program) => {
      await refused({ program }).rejects.toMatchObject({ code: "E_ENGINE_INPUT" });
      const credentials = [`key:${program}`];
      await refused({ credentials }).rejects.toMatchObject({ code: "E_ENGINE_INPUT" });
    },
  );

  test.each(["home", "tmp", "root", "run/user"].map((folder) => `/${folder}/app.run`))(
    "%s is not there for the service",
    async (program) => {
      await refused({ program }).rejects.toMatchObject({ code: "E_ENGINE_INPUT" });
    },
  );

  test.each([
    "0",
    "65536",
    "http",
    "host:80",
    "80/sctp",
    "/run/a b\n",
    "/run/../x",
    "@x",
    "-1",
    "",
    "999.0.0.1:80",
    "1.2:80",
    "127.0.0.1.:80",
    "[::1::]:80",
    "[127.0.0.1]:80",
  ])("%j is nothing to listen on", async (socket) => {
    await refused({ sockets: [socket] }).rejects.toMatchObject({ code: "E_OPTION_VALUE" });
  });

  test("ports are asked for that the bundle has not, or systemd", async () => {
    const sockets = ["ports"];
    await refused({ sockets }).rejects.toMatchObject({ code: "E_ENGINE_INPUT" });
    const sctp = { root: "image", ports: ["80/sctp"] } as const;
    await refused({ sockets }, sctp).rejects.toMatchObject({ code: "E_ENGINE_INPUT" });
    const many = { root: "image", ports: ["1-60000/tcp"] } as const;
    await refused({ sockets }, many).rejects.toMatchObject({ code: "E_OPTION_VALUE" });
  });

  test.each(["", "..", "a/b", "a b", "a:relative", "a%n"])("%j is no credential", async (id) => {
    await refused({ credentials: [id] }).rejects.toMatchObject({ code: "E_OPTION_VALUE" });
  });
});

describe("files of an engine", () => {
  const options = (dir: string) => ({ input: hello, systemd: dir, program: "/opt/hello.run" });

  test("have the same bytes every time, and replace none unless asked", async () => {
    const dir = path.join(temporaryDirectory(), "new/units");
    const { files } = await exportEngine({ ...options(dir), sockets: ["80"] });
    const texts = files.map((file) => readFileSync(file, "utf8"));
    expect(files.map((file) => path.basename(file))).toEqual(["hello.service", "hello.socket"]);
    await expect(exportEngine(options(dir))).rejects.toMatchObject({
      code: "E_ENGINE_EXISTS",
      path: files[0],
    });
    await exportEngine({ ...options(dir), sockets: ["80"], force: true });
    expect(files.map((file) => readFileSync(file, "utf8"))).toEqual(texts);
  });

  test("are all there or none", async () => {
    const dir = temporaryDirectory();
    mkdirSync(path.join(dir, "hello.socket"), { recursive: true });
    const wanted = { ...options(dir), sockets: ["80"] };
    await expect(exportEngine(wanted)).rejects.toMatchObject({ code: "E_ENGINE_EXISTS" });
    await expect(exportEngine({ ...wanted, force: true })).rejects.toMatchObject({
      code: "E_OUTPUT_DIRECTORY",
    });
    expect(existsSync(path.join(dir, "hello.service"))).toBe(false);
  });

  test("are of bundles", async () => {
    const image = path.join(temporaryDirectory(), "image.sfs");
    await writeImage([{ path: "a", contents: "a" }], { output: image });
    const wanted = { ...options(temporaryDirectory()), input: image };
    await expect(exportEngine(wanted)).rejects.toMatchObject({ code: "E_ENGINE_INPUT" });
    const { input, ...none } = options("units");
    await expect(exportEngine({ ...none, input: "" })).rejects.toMatchObject({
      code: "E_OPTION_MISSING",
    });
    await expect(exportEngine({ input })).rejects.toMatchObject({ code: "E_OPTION_MISSING" });
  });
});
