// A bundle becomes a machine, with Prism between us and the engine.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, expect, test } from "vitest";
import { build } from "../../builder/index.ts";
import { answer, deploy, startEngine, TOKEN, validating } from "../support/fuse-engine.ts";
import { helloBundle } from "../support/hello-bundle.ts";
import { bundleCommand, root, run } from "../support/process.ts";
import { temporaryDirectory } from "../support/temporary.ts";

let bundle: { file: string; sha256: string };
beforeAll(async () => {
  bundle = await helloBundle();
});

test("a bundle is deployed with all that was said, and the interface allows every request", async () => {
  const engine = await startEngine();
  const to = await validating(engine);
  const { status, stdout, stderr } = await deploy(
    [
      ...[bundle.file, "--to", to, "--url", "https://downloads.example.org/hello.run", "--json"],
      ...[
        "--name",
        "web",
        "--cpus",
        "2",
        "--memory",
        "2G",
        "--region",
        "eu",
        "--label",
        "disk=ssd",
      ],
      ...[
        "--secret",
        "TOKEN",
        "--env",
        "MODE=it's",
        "--expose",
        "8080:http",
        "--expose",
        "9",
        "--ttl",
        "2h",
      ],
      ...["--", "--flag", "a 'b'"],
    ],
    { env: { TOKEN: "s3cr3t-value" } },
  );
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  expect(JSON.parse(stdout)).toMatchObject({ id: "fuse-web", state: "running", existed: false });
  const [request] = engine.created;
  expect(request?.spec).toEqual({
    cpus: 2,
    ram_mb: 2048,
    region: "eu",
    labels: { disk: "ssd" },
    max_runtime_seconds: 7200,
  });
  expect(request?.expose).toEqual([{ port: 8080, as: "http" }, { port: 9 }]);
  expect(request?.secrets).toEqual({ TOKEN: "s3cr3t-value" });
  const manifest = JSON.parse(Buffer.from(request?.manifest_inline ?? "", "base64").toString());
  expect(manifest.machine.env).toEqual({ MODE: { value: "it's" }, TOKEN: { secret: "TOKEN" } });
  const script = request?.startup_script ?? "";
  expect(script).toContain("'https://downloads.example.org/hello.run'");
  expect(script).toContain(`'--flag' 'a '\\''b'\\'''`);
  expect(script).toContain(bundle.sha256);
  expect(script).not.toContain("s3cr3t-value");
});

test("--serve offers the bundle while the machine comes up, and no longer", async () => {
  const engine = await startEngine();
  let url = "";
  let sha256 = "";
  engine.faults = [
    async ({ method, body }) => {
      if (method !== "POST") return false;
      [, url = ""] = /'(http:\/\/127\.0\.0\.1:[^']+)'/.exec(JSON.parse(body).startup_script) ?? [];
      const bytes = Buffer.from(await (await fetch(url)).arrayBuffer());
      sha256 = createHash("sha256").update(bytes).digest("hex");
      return false;
    },
  ];
  expect((await deploy([bundle.file, "--to", engine.to, "--serve"])).status).toBe(0);
  expect(sha256).toBe(bundle.sha256);
  await expect(fetch(url)).rejects.toThrow();
  const taken = await deploy([
    bundle.file,
    "--to",
    engine.to,
    "--name",
    "b",
    `--serve=127.0.0.1:${engine.port}`,
  ]);
  expect(taken.stderr).toContain(`[E_DEPLOY_SERVE] 127.0.0.1:${engine.port}`);
  expect(engine.environments.size).toBe(1);
});

test("the same bundle under the same name is left as it is, another one is refused", async () => {
  const engine = await startEngine();
  const to = await validating(engine);
  const line = [bundle.file, "--to", to, "--url", "https://example.org/hello.run"];
  expect((await deploy(line)).status).toBe(0);
  engine.exec = (cmd) => {
    expect(cmd).toEqual(["cat", "/var/lib/fuselage/hello/digest"]);
    return { exit_code: 0, stdout: `${bundle.sha256}\n`, stderr: "" };
  };
  const again = await deploy([...line, "--json"]);
  expect(again.status).toBe(0);
  expect(JSON.parse(again.stdout)).toMatchObject({ id: "fuse-hello", existed: true });
  expect(engine.created).toHaveLength(1);
  engine.exec = () => ({ exit_code: 0, stdout: "another\n", stderr: "" });
  const other = await deploy(line);
  expect(other.status).toBe(1);
  expect(other.stderr).toContain("[E_DEPLOY_EXISTS] hello: there is one of that name");
  expect(other.stderr).toContain("bundle deploy destroy hello");
  expect(engine.environments.size).toBe(1);
});

test("it waits until the app is up, and says what it printed when it is not", async () => {
  const engine = await startEngine();
  const to = await validating(engine);
  const line = [bundle.file, "--to", to, "--url", "https://example.org/a", "--wait"];
  const healthy = (state: "starting" | "passing" | "failing") => (): false => {
    for (const one of engine.environments.values()) one.health = { state, failures: 0 };
    return false;
  };
  engine.faults = [healthy("passing")];
  expect((await deploy(line)).status).toBe(0);
  engine.environments.clear();
  engine.faults = [healthy("failing")];
  engine.exec = () => ({ exit_code: 0, stdout: "14\nno such table\n", stderr: "" });
  const failed = await deploy(line);
  expect(failed.stderr).toContain(
    "[E_DEPLOY_FAILED] hello: the app does not come up; it said: no such table",
  );
  expect(failed.stderr).toContain("what was half made is destroyed: fuse-hello");
  expect(engine.environments.size).toBe(0);
  engine.faults = [healthy("starting")];
  const late = await deploy([...line, "--timeout", "10"]);
  expect(late.stderr).toContain(
    "[E_DEPLOY_TIMEOUT] hello: it is not up after 10 s: it is starting",
  );
  expect(engine.environments.size).toBe(0);
});

test("actions ask what the interface has, and show what it answers", async () => {
  const engine = await startEngine();
  const to = await validating(engine);
  await deploy([bundle.file, "--to", to, "--url", "https://example.org/a", "--expose", "80:web"]);
  const action = async (...args: string[]) => {
    const { status, stdout, stderr } = await deploy([...args, "--to", to]);
    expect({ args, status, stderr }).toEqual({ args, status: 0, stderr: "" });
    return stdout;
  };
  expect(await action("list")).toMatch(/^NAME .*\nhello +running +- +host-1 .* web http:\/\/203/);
  expect(JSON.parse(await action("list", "--json"))).toHaveLength(1);
  expect(await action("status", "hello")).toContain("identifier  fuse-hello\n");
  // Forks have no name that was given.
  expect(await action("status", "fuse-hello")).toContain("identifier  fuse-hello\n");
  expect(await action("snapshot", "hello", "--comment", "as it is")).toBe("snap-1\n");
  expect(await action("list", "--snapshots")).toMatch(/snap-1 +hello +ready +4.0 KiB/);
  expect(await action("restore", "snap-1")).toBe("snap-1: restored\n");
  expect(await action("fork", "hello")).toContain("fuse-hello-fork");
  expect(await action("drain", "hello")).toContain("drained");
  expect(engine.environments.get("fuse-hello")?.state).toBe("draining");
  expect(await action("destroy", "hello")).toBe("hello: destroyed\n");
  expect([...engine.environments.keys()]).toEqual(["fuse-hello-fork"]);
});

test("a command's streams and status are ours", async () => {
  const engine = await startEngine();
  const to = await validating(engine);
  await deploy([bundle.file, "--to", to, "--url", "https://example.org/a"]);
  engine.exec = (cmd) => ({ exit_code: 42, stdout: cmd.join("|"), stderr: "beside" });
  const { status, stdout, stderr } = await deploy([
    "exec",
    "hello",
    "--to",
    to,
    "--",
    "a b",
    "--json",
  ]);
  expect({ status, stdout, stderr }).toEqual({
    status: 42,
    stdout: "a b|--json",
    stderr: "beside",
  });
});

test("logs begin with the last lines and go on until the machine ends", async () => {
  const engine = await startEngine();
  await deploy([bundle.file, "--to", engine.to, "--url", "https://example.org/a"]);
  const pieces = ["12\nfirst\n", "20\nmore ä\n", "20\n", "24\nend\n"];
  const offsets: string[] = [];
  engine.exec = (cmd) => {
    offsets.push(/from=(\d+)/.exec(cmd[2] ?? "")?.[1] ?? "");
    const stdout = pieces.shift();
    if (stdout === undefined) engine.environments.clear();
    return { exit_code: 0, stdout: stdout ?? "", stderr: "" };
  };
  const { status, stdout } = await deploy(["logs", "hello", "--follow", "--to", engine.to]);
  expect({ status, stdout }).toEqual({ status: 0, stdout: "first\nmore ä\nend\n" });
  // As the machine says it: of what is no text it sends other bytes.
  expect(offsets.slice(0, 4)).toEqual(["", "12", "20", "20"]);
});

test("metrics are a table, safe for a terminal", async () => {
  const engine = await startEngine();
  const { status, stdout } = await deploy(["metrics", "--to", engine.to]);
  expect(status).toBe(0);
  expect(stdout).toMatch(/^METRIC +LABELS +VALUE\norchestrator_fleet_tracked_vms +2\n/);
  expect(stdout).toMatch(/method=GET,route=\/v1\/environments\/\{vmId\} +4, 0.125 on average/);
  expect(stdout).not.toContain("go_goroutines");
  expect(stdout).not.toContain("\x1b");
  expect((await deploy(["metrics", "go_", "--to", engine.to])).stdout).toContain("go_goroutines");
});

test("the commands of docs/deploy.md do what the page says", async () => {
  const engine = await startEngine();
  const to = await validating(engine);
  const dir = temporaryDirectory();
  mkdirSync(path.join(dir, "app"));
  writeFileSync(path.join(dir, "app/app"), "#!/bin/sh\n", { mode: 0o755 });
  await build({ input: path.join(dir, "app"), output: path.join(dir, "app.run") });
  writeFileSync(path.join(dir, "database-url"), "postgres://db\n", { mode: 0o600 });
  const program = `#!/bin/sh\nexec '${process.execPath}' '${bundleCommand}' "$@"\n`;
  writeFileSync(path.join(dir, "bundle"), program, { mode: 0o755 });
  const page = readFileSync(path.join(root, "docs/deploy.md"), "utf8");
  const [, block = ""] = /^```sh\n(.*?)^```/ms.exec(page) ?? [];
  const script = block.replace("FUSE_TOKEN=...", `FUSE_TOKEN=${TOKEN}`);
  let pieces = 0;
  engine.exec = () => ({ exit_code: 0, stdout: "5\nhello", stderr: "" });
  engine.faults = [
    ({ url }, response) => {
      for (const one of engine.environments.values()) {
        one.health = { state: "passing", failures: 0 };
      }
      // The log ends, as it does when the machine is drained.
      if (!url.includes("action=exec") || ++pieces === 1) return false;
      const error = { code: "conflict", message: "it is draining" };
      answer(response, 409, JSON.stringify({ error }));
      return true;
    },
  ];
  const { status, stdout, stderr } = await run(
    "sh",
    ["-ec", script.replaceAll("fuse://fuse.example.org", to)],
    {
      cwd: dir,
      env: {
        ...{ PATH: `${dir}:${process.env["PATH"]}`, XDG_CONFIG_HOME: "/nonexistent" },
        NODE_EXTRA_CA_CERTS: undefined,
      },
    },
  );
  expect({ status, stderr }).toEqual({
    status: 0,
    stderr: "bundle: app: waiting until the app is up\n",
  });
  expect(stdout).toMatch(/^name +app\n.*http http:\/\/203.*\nhelloapp: destroyed\n$/s);
  expect(engine.created[0]).toMatchObject({
    spec: { cpus: 2, ram_mb: 1024, max_runtime_seconds: 12 * 3600 },
    secrets: { DATABASE_URL: "postgres://db" },
  });
  expect(engine.environments.size).toBe(0);
});
