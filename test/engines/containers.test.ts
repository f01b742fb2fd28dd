/** Files for container engines and clouds, as their own programs read them. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { checkOptions } from "../../builder/config/validate.ts";
import { cloudInit } from "../../builder/engines/cloud-init/cloud-init.ts";
import { compose } from "../../builder/engines/containers/compose.ts";
import { quadlet } from "../../builder/engines/containers/quadlet.ts";
import type { EngineSettings } from "../../builder/engines/engine.ts";
import type { Manifest } from "../../builder/manifest/manifest.ts";
import { byteString } from "../../builder/tree/path.ts";
import { debianFiles } from "../../scripts/debian.mjs";
import { engineFacts, SHA256 } from "../support/engine-facts.ts";
import { skipUnless } from "../support/needs.ts";
import { run } from "../support/process.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const hostile = [
  "a\nimage: other",
  "\"q\" 's' $HOME ${V} $$ %n %% \\n",
  "{{name}} {a: b} [c] #d &e *f !g |h >i @j `k",
  "\u2028\u0085\u007f\ufeff\u001b\t\r",
  "yes",
  "1e3",
  "",
];

async function textOf(made: ReturnType<typeof compose.files>): Promise<string> {
  const [file] = await made;
  return file?.text ?? "";
}

/** What a reader of YAML 1.1 in Python sees. */
async function readYaml(text: string): Promise<unknown> {
  const script = "import json, sys, yaml; json.dump(yaml.safe_load(sys.stdin), sys.stdout)";
  const { stdout, stderr, status } = await run("python3", ["-c", script], { input: text });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
}

const image = "registry.example:5000/team/app@sha256:" + SHA256;

describe("a file of Docker Compose", () => {
  const tested = skipUnless("dockerCompose", "pythonYaml");

  /** By its own program, which checks the schema and replaces variables, and doubles $ when it prints. */
  async function configured(text: string, env: Record<string, string> = {}) {
    const file = path.join(temporaryDirectory(), "compose.yaml");
    writeFileSync(file, text);
    const { stdout, stderr, status } = await run("docker-compose", ["-f", file, "config"], { env });
    expect(stderr).toBe("");
    expect(status).toBe(0);
    return (await readYaml(stdout)) as { services: Record<string, Record<string, unknown>> };
  }

  tested("is taken, and says that the app needs nothing", async () => {
    const text = await textOf(compose.files(engineFacts(), { image }));
    const { services } = await configured(text);
    expect(services["app"]).toMatchObject({
      image,
      user: "65534:65534",
      read_only: true,
      cap_drop: ["ALL"],
      security_opt: ["no-new-privileges:true"],
    });
  });

  tested("has ports and volumes of an image that is a root", async () => {
    const root = engineFacts({
      root: "image",
      entry: undefined,
      ports: ["80/tcp", "6000-6002/udp"],
      volumes: ["/data", byteString("/a: b\n$c")],
    });
    const text = await textOf(compose.files(root, { image, name: "Web.1" }));
    const read = (await readYaml(text)) as { services: Record<string, Record<string, unknown>> };
    expect(read.services["web.1"]).toMatchObject({
      ports: ["80:80/tcp", "6000-6002:6000-6002/udp"],
      volumes: [
        { type: "volume", source: "web.1-data-0", target: "/data" },
        { type: "volume", source: "web.1-a-b-c-1", target: "/a: b\n$$c" },
      ],
    });
    expect(read.services["web.1"]).not.toHaveProperty("read_only");
    const { services } = await configured(text);
    expect(services["web.1"]?.["volumes"]).toHaveLength(2);
  });

  tested("publishes the ports that it is told, and names nothing twice", async () => {
    const facts = engineFacts({ ports: ["80/tcp"] });
    const limits = { cpus: 2, memory: "1G" };
    const settings = {
      ...{ image, ...limits },
      ports: ["8080", "53/udp", "8080"],
      env: ["A=1", "B=2", "A=3"],
    };
    const text = await textOf(compose.files(facts, settings));
    expect(text).toContain('environment: {"A": "3", "B": "2"}');
    const { services } = await configured(text);
    expect(services["app"]?.["ports"]).toMatchObject([
      { target: 8080, published: 8080, protocol: "tcp" },
      { target: 53, published: 53, protocol: "udp" },
    ]);
    expect(services["app"]).toMatchObject({ cpus: 2, mem_limit: "1g" });
    const container = await textOf(quadlet.files(facts, { ...settings, notify: true }));
    expect(container.match(/^(Notify|PodmanArgs)=.*$/gm)).toEqual([
      ...["Notify=true", "PodmanArgs=--cpus=2", "PodmanArgs=--memory=1g"],
    ]);
    expect(container.match(/^(PublishPort|Environment)=.*$/gm)).toEqual([
      ...['Environment="A=3"', 'Environment="B=2"'],
      ...["PublishPort=8080:8080/tcp", "PublishPort=53:53/udp"],
    ]);
  });

  tested("takes secrets from whoever calls it", async () => {
    const settings = { image, env: ["A=1"], secrets: ["TOKEN", "TOKEN"] };
    const text = await textOf(compose.files(engineFacts(), settings));
    const { services } = await configured(text, { TOKEN: "a$b" });
    expect(services["app"]?.["environment"]).toEqual({ A: "1", TOKEN: "a$$b" });
    const file = path.join(temporaryDirectory(), "compose.yaml");
    writeFileSync(file, text);
    const without = await run("docker-compose", ["-f", file, "config"]);
    expect(without.status).not.toBe(0);
    expect(without.stderr).toContain("TOKEN");
    const container = await textOf(quadlet.files(engineFacts(), settings));
    expect(container.match(/^Secret=.*$/gm)).toEqual(["Secret=TOKEN,type=env,target=TOKEN"]);
  });

  tested("carries arguments and variables as they are", async () => {
    const env = hostile.map((text, index) => `V${index}=${text}`);
    const { services } = await configured(
      await textOf(compose.files(engineFacts(), { image, args: hostile, env })),
    );
    // It prints what can be read again: each $ twice.
    const printed = (text: string) => text.replaceAll("$", "$$$$");
    expect(services["app"]?.["command"]).toEqual(hostile.map(printed));
    expect(services["app"]?.["environment"]).toEqual(
      Object.fromEntries(hostile.map((text, index) => [`V${index}`, printed(text)])),
    );
  });
});

describe("what an app declares", () => {
  const tested = skipUnless("dockerCompose", "pythonYaml");
  const read = async (more: Partial<Manifest>, settings: EngineSettings = {}) => {
    const facts = engineFacts(more);
    const { services } = (await readYaml(
      await textOf(compose.files(facts, { image, ...settings })),
    )) as { services: Record<string, Record<string, unknown>> };
    const container = await textOf(quadlet.files(facts, { image, ...settings }));
    const keys = /^(Tmpfs|Network|PublishPort|Environment|DropCapability|AddCapability)=.*$/gm;
    return { service: services["app"] ?? {}, lines: container.match(keys) ?? [] };
  };

  tested("is what its container may write to and reach", async () => {
    const sandbox = ["fs /srv/data rw", "fs /tmp rw", "fs home rw", "fs /opt/x ro", "net none"];
    const { service, lines } = await read({ sandbox, ports: ["80/tcp"] });
    const folders = ["/tmp", "/srv/data:mode=1777", "/var/lib/app:mode=1777"];
    expect(service).toMatchObject({
      tmpfs: folders,
      environment: { HOME: "/var/lib/app" },
      network_mode: "none",
      cap_drop: ["ALL"],
    });
    expect(service).not.toHaveProperty("ports");
    expect(lines).toEqual([
      'Environment="HOME=/var/lib/app"',
      ...folders.map((folder) => `Tmpfs=${folder}`),
      ...["DropCapability=all", "Network=none"],
    ]);
    const listening = await read({ sandbox: ["net listen 80"], ports: ["80-81/tcp", "80/udp"] });
    expect(listening.service).toMatchObject({ ports: ["80:80/tcp"], tmpfs: ["/tmp"] });
    expect(listening.service).not.toHaveProperty("network_mode");
    expect(listening.lines).toEqual([
      ...["PublishPort=80:80/tcp", "Tmpfs=/tmp", "DropCapability=all"],
    ]);
  });

  tested("leaves entry scripts of an image that is a root what they need, or nothing", async () => {
    const root = { root: "image", entry: undefined } as const;
    const scripted = await read({ ...root, sandbox: ["net connect 443"] });
    expect(scripted.service).toMatchObject({
      cap_drop: ["ALL"],
      cap_add: expect.arrayContaining(["CHOWN", "SETUID"]),
    });
    expect(scripted.lines).toContain("AddCapability=CAP_SETUID");
    const plain = await read({ ...root, user: "1000", sandbox: ["net connect 443"] });
    expect(plain.service).toMatchObject({ cap_drop: ["ALL"] });
    expect(plain.service).not.toHaveProperty("cap_add");
    expect((await read(root)).service).not.toHaveProperty("cap_drop");
  });

  tested("is the devices that it has, with a group that the machine knows", async () => {
    const facts = engineFacts({ sandbox: ["devices gpu", "devices audio", "net none"] });
    const file = path.join(temporaryDirectory(), "compose.yaml");
    writeFileSync(file, await textOf(compose.files(facts, { image })));
    for (const [env, groups] of [
      [{}, ["65534", "65533"]],
      [{ GPU_GROUP: "105", AUDIO_GROUP: "29" }, ["105", "29"]],
    ] as const) {
      const { stdout, stderr, status } = await run("docker-compose", ["-f", file, "config"], {
        env,
      });
      expect([status, stderr]).toEqual([0, ""]);
      const { services } = (await readYaml(stdout)) as { services: Record<string, object> };
      expect(services["app"]).toMatchObject({
        devices: ["/dev/dri:/dev/dri", "/dev/snd:/dev/snd"],
        group_add: groups,
      });
    }
    const none = (await read({ sandbox: ["net none"] })).service;
    expect(Object.keys(none).filter((key) => /device|group/.test(key))).toEqual([]);
  });

  test("is refused where a container cannot have it", async () => {
    for (const rule of ["fs /etc rw", "fs /srv/a:b rw", "fs /opt rw"]) {
      await expect(read({ sandbox: [rule] }), rule).rejects.toMatchObject({
        code: "E_ENGINE_INPUT",
      });
    }
    await expect(read({ sandbox: ["net none"] }, { ports: ["80"] })).rejects.toMatchObject({
      code: "E_ENGINE_INPUT",
    });
  });
});

/** What podman's generator makes of app.container. */
async function generated(text: string) {
  // podman names libraries of its own release.
  const files = debianFiles("trixie", ["libc6", "podman"]);
  const dir = temporaryDirectory();
  writeFileSync(path.join(dir, "app.container"), text);
  const libraries = path.join(files, "usr/lib/x86_64-linux-gnu");
  const program = path.join(files, "usr/libexec/podman/quadlet");
  const loader = path.join(libraries, "ld-linux-x86-64.so.2");
  const words = ["--library-path", libraries, program, "-dryrun", "-no-kmsg-log"];
  const env = { QUADLET_UNIT_DIRS: dir };
  const { stdout, stderr } = await run(loader, words, { env });
  return { stderr, unit: stdout };
}

describe("a container of podman", () => {
  test("has a line for each thing, whatever stands in it", async () => {
    const root = engineFacts({
      root: "image",
      entry: undefined,
      ports: ["80/tcp"],
      volumes: ["/data"],
      labels: [`org.opencontainers.image.description=${byteString("a\n[Service]\nUser=root\\")}`],
    });
    const args = hostile.filter((arg) => arg !== "");
    const settings = { image, args, env: [`A=${hostile[0]}`] };
    const text = await textOf(quadlet.files(root, settings));
    expect(text).toMatch(/^Description=a \[Service\] User=root$/m);
    expect(text).toMatch(/^Exec="a\\x0aimage: other" .*\$\$HOME \$\$\{V\} \$\$\$\$ %%n %%%% /m);
    expect(text).toMatch(/^Environment="A=a\\x0aimage: other"$/m);
    // By podman 5's generator "\\xe2" is a letter.
    expect(text).toContain('"\\u2028\\u0085\\x7f\\ufeff\\x1b\\x09\\x0d"');
    expect(text).toMatch(/^PublishPort=80:80\/tcp$/m);
    expect(text).toMatch(/^Volume=app-data-0:\/data$/m);
    expect(text.match(/^\[.*\]$/gm)).toEqual(["[Unit]", "[Container]", "[Service]", "[Install]"]);
    expect(text).not.toMatch(/[^\n -~]/);
  });

  skipUnless("debian")("becomes a service by podman's own generator", async () => {
    const facts = engineFacts({ sandbox: ["devices gpu", "net none"] });
    const name = "registry.example:5000/team/app:1.0";
    const settings = { image: name, autoUpdate: "registry", memory: "1G", args: ["a b"] } as const;
    const { stderr, unit } = await generated(await textOf(quadlet.files(facts, settings)));
    expect(stderr).toMatch(/^[^\n]*Loading source unit file [^\n]*app\.container\n$/);
    const [, started = ""] = /^ExecStart=(.*)$/m.exec(unit) ?? [];
    for (const word of ["--label io.containers.autoupdate=registry", "--group-add=keep-groups"])
      expect(started).toContain(` ${word} `);
    expect(started).toContain(` --memory=1g`);
    expect(started).toMatch(/ registry\.example:5000\/team\/app:1\.0 "a b"$/);
    // Those that the machine has, and no others.
    for (const device of ["/dev/dri", "/dev/kfd"])
      expect(started.includes(`--device ${device} `)).toBe(existsSync(device));
    const plain = await generated(await textOf(quadlet.files(engineFacts(), { image: name })));
    expect(plain.unit).not.toMatch(/autoupdate|--device|group-add/);
  });

  test("is updated by a name that can lead to another image, and by no other", async () => {
    const made = (autoUpdate: EngineSettings["autoUpdate"], name: string) =>
      textOf(
        Promise.resolve().then(() => quadlet.files(engineFacts(), { image: name, autoUpdate })),
      );
    for (const [where, name] of [
      ["registry", "localhost/app:1.0"],
      ["registry", "registry.example/app:1.0"],
      ["local", "app:1.0"],
    ] as const)
      expect(await made(where, name)).toContain(`\nAutoUpdate=${where}\n`);
    for (const [where, name] of [
      ["registry", "app:1.0"],
      ["registry", "team/app:1.0"],
      ["registry", "registry.example:5000/app"],
      ["registry", image],
      ["registry", `registry.example/app:1.0@sha256:${SHA256}`],
      ["local", "app"],
      ["local", image],
    ] as const) {
      await expect(made(where, name), `${where} ${name}`).rejects.toMatchObject({
        code: "E_OPTION_VALUE",
        actual: `"${name}"`,
      });
    }
  });

  test("refuses an empty argument, behind which the generator reads nothing", async () => {
    await expect(async () =>
      quadlet.files(engineFacts(), { image, args: ["a", "", "b"] }),
    ).rejects.toMatchObject({ code: "E_OPTION_VALUE" });
  });

  test("refuses a volume that its format cannot name", async () => {
    const root = engineFacts({ root: "image", entry: undefined, volumes: ["/a:b"] });
    expect(() => quadlet.files(root, { image })).toThrow(
      expect.objectContaining({ code: "E_ENGINE_INPUT" }),
    );
  });
});

describe("user data of a cloud's machine", () => {
  const tested = skipUnless("cloudInit", "pythonYaml");
  const settings: EngineSettings = { url: "https://example.org/app.run?a='$b'&c=`d`" };

  tested("has the form that cloud-init wants", async () => {
    const root = engineFacts({ root: "image", entry: undefined, ports: ["80/tcp"] });
    for (const [one, more] of [
      [engineFacts(), {}],
      [root, { sockets: ["ports"], args: hostile, env: [`A=${hostile[1]}`] }],
    ] as const) {
      const text = await textOf(cloudInit.files(one, { ...settings, ...more }));
      const file = path.join(temporaryDirectory(), "user-data");
      writeFileSync(file, text);
      const { stdout, stderr, status } = await run("cloud-init", ["schema", "--config-file", file]);
      expect(status, `${stdout}${stderr}`).toBe(0);
      const read = (await readYaml(text)) as { write_files: { path: string; content: string }[] };
      const names = read.write_files.map(({ path: at }) => at);
      expect(names.at(-1)).toBe("/usr/local/lib/bundles/app.install");
      expect(names).toHaveLength(one.isRoot ? 4 : 2);
      // Line by line what `--systemd` writes.
      expect(read.write_files[0]?.content).toContain("\n[Service]\nType=exec\nExecStart=");
    }
  });

  /** The installer with a fetching program that copies, and a systemctl that says what it was told. */
  async function installed(bytes: string, digest: string) {
    const dir = temporaryDirectory();
    const one = { ...engineFacts(), sha256: digest };
    const program = path.join(dir, "lib/app.run");
    // Where services do not see it; the script does not care.
    const text = await textOf(cloudInit.files(one, { ...settings, program: "/opt/PROGRAM" }));
    const read = (await readYaml(text)) as { write_files: { content: string }[] };
    const script = read.write_files.at(-1)?.content.replace("/opt/PROGRAM", program) ?? "";
    mkdirSync(path.join(dir, "bin"));
    const log = path.join(dir, "log");
    const tools = {
      curl: `while test "$1" != --output; do shift; done; printf %s '${bytes}' > "$2"; echo "$4" >> ${log}`,
      systemctl: `echo "$@" >> ${log}`,
      "systemd-sysusers": "",
    };
    for (const [name, body] of Object.entries(tools)) {
      writeFileSync(path.join(dir, "bin", name), `#!/bin/sh\n${body}\n`, { mode: 0o755 });
    }
    const env = { PATH: `${dir}/bin:${process.env["PATH"]}` };
    const first = await run("sh", ["-c", script], { env });
    const again = await run("sh", ["-c", script], { env });
    return { first, again, program, log: readFileSync(log, "utf8").split("\n") };
  }

  tested("installs what has the digest, once, and nothing else", async () => {
    const { createHash } = await import("node:crypto");
    const digest = createHash("sha256").update("the bundle").digest("hex");
    const good = await installed("the bundle", digest);
    expect([good.first.status, good.again.status]).toEqual([0, 0]);
    expect(readFileSync(good.program, "utf8")).toBe("the bundle");
    expect(good.log).toEqual([
      settings.url,
      ...["daemon-reload", "enable --now app.service"],
      ...["daemon-reload", "enable --now app.service"],
      "",
    ]);
    const bad = await installed("another", digest);
    expect(bad.first).toMatchObject({ status: 1 });
    expect(bad.first.stderr).toContain("not the bundle that was meant");
    expect(bad.log).toEqual([settings.url, settings.url, ""]);
    const left = await run("ls", [path.dirname(bad.program)]);
    expect(left.stdout).toBe("");
  });

  test("is refused where clouds would cut it off", async () => {
    const args = ["x".repeat(16_000)];
    await expect(cloudInit.files(engineFacts(), { ...settings, args })).rejects.toMatchObject({
      code: "E_ENGINE_INPUT",
    });
  });
});

describe("what engines ask for", () => {
  test("is an image, or an address", async () => {
    expect(() => compose.files(engineFacts(), {})).toThrow(
      expect.objectContaining({ code: "E_OPTION_MISSING" }),
    );
    expect(() => quadlet.files(engineFacts(), {})).toThrow(
      expect.objectContaining({ code: "E_OPTION_MISSING" }),
    );
    await expect(cloudInit.files(engineFacts(), {})).rejects.toMatchObject({
      code: "E_OPTION_MISSING",
    });
    const recorded = engineFacts({
      entry: undefined,
      invocation: ["--static=/proc/self/exe", "true"],
    });
    expect(() => compose.files(recorded, { image })).toThrow(
      expect.objectContaining({ code: "E_ENGINE_INPUT" }),
    );
  });

  test("by a name that docker pull takes", () => {
    for (const option of ["image", "artifactImage"]) {
      for (const name of [
        ...[
          "app",
          "team/app",
          "app:1.0",
          "registry.example:5000/team/a-b_c.d/e__f:V1.0-rc_2",
          image,
        ],
        ...["localhost/app", "Registry.Example/app@sha256:".concat("0".repeat(64))],
      ])
        checkOptions("export", { [option]: name });
      for (const name of [
        ...[
          "",
          "App",
          "app/",
          "/app",
          "a//b",
          "app:",
          "app:1:2",
          "app@latest",
          "a b",
          "app.run/",
          "../app",
        ],
        ...["host:port/app", "app:-1", "a___b", "-app", "docker://app", "app@sha256:12"],
      ]) {
        expect(() => checkOptions("export", { [option]: name }), name).toThrow(
          expect.objectContaining({ code: "E_OPTION_VALUE" }),
        );
      }
    }
  });
});
