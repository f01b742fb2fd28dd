// What ends a command before an engine has answered: signals, readers that have gone, disks that are full.
import { type StdioOptions, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { openSync } from "node:fs";
import http from "node:http";
import { afterEach, beforeAll, expect, test, vi } from "vitest";
import { actions } from "../../builder/cli/deploy/actions.ts";
import { undoneBy } from "../../builder/cli/interruption.ts";
import { clientOf } from "../support/deployment.ts";
import { type FuseEngine, makeEnvironment, startEngine, TOKEN } from "../support/fuse-engine.ts";
import { helloBundle } from "../support/hello-bundle.ts";
import { bundleCommand } from "../support/process.ts";

let bundle: { file: string; sha256: string };
beforeAll(async () => {
  bundle = await helloBundle();
});
afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
});

/** Holds what matches until it is let go, then it is answered as ever. */
function hold(engine: FuseEngine, matches: (asked: { method: string; url: string }) => boolean) {
  let letGo = () => {};
  const isLetGo = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  const isAsked = new Promise<void>((resolve) => {
    engine.faults.push(async (asked) => {
      if (!matches(asked)) return false;
      resolve();
      await isLetGo;
      return false;
    });
  });
  return { isAsked, letGo };
}

interface Begun {
  action: "snapshot" | "fork" | "restore" | "drain" | "destroy";
  name: string;
  request: RegExp;
  /** What is asked afterwards. */
  undone?: string;
  /** What the second signal says. */
  left: RegExp;
}

const begun: Begun[] = [
  {
    ...{ action: "snapshot", name: "web", request: /^POST .*\/snapshots$/ },
    ...{ undone: "DELETE /v1/snapshots/snap-1", left: /may be left.*list --snapshots/ },
  },
  {
    ...{ action: "fork", name: "web", request: /^POST .*action=fork/ },
    ...{ undone: "DELETE /v1/environments/fuse-web-fork", left: /may be left.*deploy list/ },
  },
  { action: "restore", name: "snap-1", request: /^POST .*action=restore/, left: /may be restored/ },
  { action: "drain", name: "web", request: /^POST .*action=drain/, left: /may be draining/ },
  { action: "destroy", name: "web", request: /^DELETE/, left: /may be there yet/ },
];

test.each(begun)(
  "$action is heard to its end after a signal, and a second one tells what may be left",
  async (one) => {
    const { action, name, request, undone, left } = one;
    let told = "";
    vi.spyOn(process.stderr, "write").mockImplementation((text) => {
      told += text;
      return true;
    });
    vi.spyOn(process.stdout, "write").mockReturnValue(true);
    const signals = [1, 2] as const;
    for (const count of signals) {
      told = "";
      const engine = await startEngine();
      makeEnvironment(engine, { task_id: "web", spec: {} });
      const client = clientOf(engine.to);
      const held = hold(engine, (asked) => request.test(`${asked.method} ${asked.url}`));
      const doing = actions[action]({
        ...{ engine: client, name, options: { to: "" }, rest: [], json: false },
      });
      await held.isAsked;
      const first = undoneBy("SIGINT");
      expect(first).toBeInstanceOf(Promise);
      expect(told).toContain(`${name}: interrupted; what the engine has begun is waited for`);
      // The process would end now.
      if (count === 2) expect(undoneBy("SIGTERM")).toBeUndefined();
      held.letGo();
      await first;
      await doing;
      const asked = engine.asked.map(({ method, url: path }) => `${method} ${path}`);
      if (undone !== undefined) expect(asked.at(-1)).toBe(undone);
      if (count === 1)
        expect(told).toContain(undone === undefined ? "it is done" : "is taken back");
      else expect(told).toMatch(left);
      await client.close();
    }
  },
);

/** The command as a process, told what to do when it has come so far. */
function start(args: readonly string[], stdio: StdioOptions) {
  const env = { ...process.env, FUSE_TOKEN: TOKEN, NODE_EXTRA_CA_CERTS: undefined };
  const child = spawn(process.execPath, [bundleCommand, "deploy", ...args], {
    env,
    stdio,
  });
  const said = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name]?.setEncoding("utf8").on("data", (text: string) => {
      said[name] += text;
    });
  }
  return { child, said, closed: once(child, "close") };
}

test("a signal ends a fork when it is taken back, and a command of a machine's at once", async () => {
  const engine = await startEngine();
  makeEnvironment(engine, { task_id: "web", spec: {} });
  const held = hold(engine, ({ url }) => url.includes("action=fork"));
  const fork = start(["fork", "web", "--to", engine.to], ["ignore", "pipe", "pipe"]);
  await held.isAsked;
  fork.child.kill("SIGTERM");
  await expect.poll(() => fork.said.stderr).toContain("interrupted");
  held.letGo();
  expect(await fork.closed).toEqual([null, "SIGTERM"]);
  expect(fork.said.stdout).toBe("");
  expect(fork.said.stderr).toContain("web: what was made is taken back");
  expect([...engine.environments.keys()]).toEqual(["fuse-web"]);
  const never = hold(engine, ({ url }) => url.includes("action=exec"));
  const exec = start(["exec", "web", "--to", engine.to, "--", "x"], ["ignore", "pipe", "pipe"]);
  await never.isAsked;
  exec.child.kill("SIGINT");
  expect(await exec.closed).toEqual([null, "SIGINT"]);
  expect(exec.said.stderr).toContain("web: interrupted; the command may go on in the machine");
});

test("a machine that is pulling the bundle is cut off and destroyed, at the first signal", async () => {
  // More than the buffers of a connection hold.
  const big = await helloBundle(undefined, randomBytes(8 << 20));
  const engine = await startEngine();
  let pulling = (_: http.IncomingMessage) => {};
  const pull = new Promise<http.IncomingMessage>((resolve) => {
    pulling = resolve;
  });
  let address = "";
  engine.faults = [
    ({ method, body }) => {
      if (method !== "POST") return false;
      const wanted = JSON.parse(body);
      makeEnvironment(engine, wanted).state = "provisioning";
      [, address = ""] = /'(http:\/\/127\.0\.0\.1:[^']+)'/.exec(wanted.startup_script) ?? [];
      // It takes the first bytes and then none.
      http.get(address, (response) => {
        response.on("error", () => {}).once("readable", () => pulling(response));
      });
      return true;
    },
  ];
  const { child, said, closed } = start(
    [big.file, "--to", engine.to, "--serve"],
    ["ignore", "pipe", "pipe"],
  );
  const pulled = await pull;
  child.kill("SIGINT");
  expect(await closed).toEqual([null, "SIGINT"]);
  expect(said.stderr).toContain("what was half made is destroyed: fuse-hello");
  expect(engine.environments.size).toBe(0);
  await new Promise((resolve) => {
    if (pulled.closed) resolve(undefined);
    else pulled.on("close", resolve).resume();
  });
  expect(pulled.complete).toBe(false);
  await expect(fetch(address)).rejects.toThrow();
});

test("nobody who reads what is said any more leaves no machine that is half made", async () => {
  const engine = await startEngine();
  let shut = () => {};
  engine.faults = [
    (asked) => {
      if (asked.method !== "POST") return false;
      makeEnvironment(engine, JSON.parse(asked.body)).state = "provisioning";
      shut();
      return true; // And never an answer.
    },
  ];
  const line = [bundle.file, "--to", engine.to, "--url", "https://example.org/a"];
  const { child, closed } = start(line, ["ignore", "ignore", "pipe"]);
  shut = () => child.stderr?.destroy();
  expect(await closed).toEqual([1, null]);
  expect(engine.environments.size).toBe(0);
});

test("events end with their reader, and a result that finds no room is a failure", async () => {
  const engine = await startEngine();
  const one = makeEnvironment(engine, { task_id: "web", spec: {} });
  const events = start(["events", "web", "--to", engine.to], ["ignore", "pipe", "pipe"]);
  await once(events.child.stdout ?? events.child, "data");
  events.child.stdout?.destroy();
  await once(events.child.stdout ?? events.child, "close");
  for (const stream of engine.streams) {
    const data = { vm_id: one.id, state: "draining", updated_at: new Date().toISOString() };
    stream.write(`data: ${JSON.stringify(data)}\n\n`);
  }
  expect(await events.closed).toEqual([0, null]);
  expect(events.said.stderr).toBe("");
  const full = start(["list", "--to", engine.to], ["ignore", openSync("/dev/full", "w"), "pipe"]);
  expect(await full.closed).toEqual([1, null]);
  expect(full.said.stderr).toMatch(/\[E_OUTPUT\w*\] .*standard output.*no space left/i);
});
