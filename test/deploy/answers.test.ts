// Answers that are none of the interface: of any field, at any command, and what they may not bring to a terminal.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { beforeAll, expect, test, vi } from "vitest";
import { type Action, actions } from "../../builder/cli/deploy/actions.ts";
import { list } from "../../builder/deploy/environments.ts";
import { Redactor } from "../../builder/deploy/secrets.ts";
import { tailCommand } from "../../builder/engines/fuse/guest.ts";
import { BundleError } from "../../builder/errors.ts";
import { clientOf } from "../support/deployment.ts";
import {
  answer,
  deploy,
  event,
  makeEnvironment,
  startEngine,
  TOKEN,
} from "../support/fuse-engine.ts";
import { helloBundle } from "../support/hello-bundle.ts";
import { bundleCommand, run } from "../support/process.ts";

let bundle: { file: string; sha256: string };
beforeAll(async () => {
  bundle = await helloBundle();
});

/** A value with one of its fields, at any depth, in the place of which stands `other`. */
function* changed(value: unknown, other: unknown): Generator<unknown> {
  yield other;
  if (typeof value !== "object" || value === null) return;
  for (const [key, one] of Object.entries(value)) {
    for (const part of changed(one, other)) {
      yield Array.isArray(value)
        ? value.map((old, index) => (`${index}` === key ? part : old))
        : { ...value, [key]: part };
    }
  }
}

const OTHERS = [null, 5, "text", "\x1b[2J\n", [], {}, [null], true];

test("no value of another type in an answer is a failure of ours, whatever asks for it", async () => {
  const engine = await startEngine();
  const redactor = new Redactor();
  const client = clientOf(engine.to, redactor);
  const one = {
    ...makeEnvironment(engine, { task_id: "web", spec: { cpus: 1 }, expose: [{ port: 80 }] }),
  };
  one.health = { state: "passing", failures: 0, message: "well" };
  const snapshot = {
    id: "snap-1",
    vm_id: one.id,
    task_id: "web",
    state: "ready",
    size_bytes: 5,
    created_at: "now",
  };
  const result = { exit_code: 0, stdout: "3\nlog", stderr: "" };
  let reply: unknown;
  let isTried = (_asked: { method: string; url: string }) => true;
  engine.faults = [
    (asked, response) => {
      if (!isTried(asked)) return false;
      answer(response, 200, JSON.stringify(reply));
      return true;
    },
  ];
  const printed = vi.spyOn(process.stdout, "write").mockReturnValue(true);
  const noted = vi.spyOn(process.stderr, "write").mockReturnValue(true);
  const named = (url: string) => url.includes("task_id=");
  const attempts: [keyof typeof actions, unknown, typeof isTried, Partial<Action>][] = [
    ["list", { environments: [one] }, () => true, {}],
    ["list", { snapshots: [snapshot] }, () => true, { options: { to: "", snapshots: true } }],
    ["status", { environments: [one] }, ({ url }) => named(url), {}],
    ["status", one, ({ url }) => url.endsWith(one.id), { name: one.id }],
    ["fork", one, ({ url }) => url.includes("fork"), {}],
    ["snapshot", snapshot, ({ url }) => url.endsWith("snapshots"), {}],
    ["exec", result, ({ url }) => url.includes("exec"), { rest: ["true"] }],
    ["logs", result, ({ url }) => url.includes("exec"), {}],
    ["restore", {}, () => true, { name: "snap-1" }],
    ["drain", result, ({ url }) => url.includes("exec"), {}],
    ["metrics", "text", ({ url }) => url.includes("metrics"), {}],
  ];
  const seen = new Set<string>();
  let count = 0;
  for (const [action, valid, tried, more] of attempts) {
    isTried = tried;
    for (const other of OTHERS) {
      for (reply of changed(valid, other)) {
        count++;
        printed.mockClear();
        const what = `${action}: ${JSON.stringify(reply)}`;
        try {
          await actions[action]({
            engine: client,
            name: "web",
            options: { to: "" },
            rest: [],
            json: false,
            ...more,
          });
        } catch (cause) {
          expect(cause, what).toBeInstanceOf(BundleError);
          expect((cause as BundleError).code, what).toMatch(/^E_DEPLOY_/);
          seen.add((cause as BundleError).code);
        }
        // A command's own output and a log are its own bytes.
        if (action === "exec" || action === "logs") continue;
        expect(printed.mock.calls.join(), what).not.toContain("\x1b");
      }
    }
  }
  printed.mockRestore();
  noted.mockRestore();
  process.exitCode = undefined;
  await client.close();
  expect(count).toBeGreaterThan(500);
  expect([...seen].sort()).toEqual(["E_DEPLOY_ANSWER", "E_DEPLOY_NOT_FOUND"]);
});

test("an identifier of an event that no header takes is not gone on from", async () => {
  const engine = await startEngine();
  const one = makeEnvironment(engine, { task_id: "web", spec: {} });
  let streams = 0;
  engine.faults = [
    (asked, response) => {
      if (!asked.url.includes("/events")) return false;
      response.writeHead(200, { "content-type": "text/event-stream" });
      streams++;
      const data = {
        id: "a\r\nX-Other: b",
        event: "state",
        vm_id: one.id,
        updated_at: one.updated_at,
      };
      if (streams === 1) response.end(`data: ${JSON.stringify({ ...data, state: "running" })}\n\n`);
      else response.end(event(one, "b", "destroyed"));
      return true;
    },
  ];
  const { status, stdout } = await deploy(["events", "web", "--to", engine.to]);
  expect({ status, lines: stdout.trim().split("\n").length }).toEqual({ status: 0, lines: 2 });
  const [, again] = engine.asked.filter(({ url }) => url.includes("/events"));
  expect(again?.headers).not.toHaveProperty("last-event-id");
  expect(again?.headers).not.toHaveProperty("x-other");
});

test("an answer that tells a secret or the token does not bring it to the output", async () => {
  const engine = await startEngine();
  const secret = "s3cr3t-of-the-app";
  engine.faults = [
    (asked, response) => {
      if (asked.method !== "POST") return false;
      const one = makeEnvironment(engine, JSON.parse(asked.body));
      const told = {
        ...one,
        secrets: { DB: secret },
        error: `token ${TOKEN}`,
        health: { state: "passing", message: secret },
      };
      answer(response, 201, JSON.stringify(told));
      return true;
    },
  ];
  const line = [bundle.file, "--to", engine.to, "--url", "https://example.org/a", "--secret", "DB"];
  for (const more of [[], ["--json", "--name", "b"]]) {
    const { status, stdout, stderr } = await deploy([...line, ...more], { env: { DB: secret } });
    expect(status).toBe(0);
    expect(stdout).toContain("[hidden]");
    expect(stdout + stderr).not.toContain(secret);
    expect(stdout + stderr).not.toContain(TOKEN);
  }
});

test.each([
  ["a part of the name", "postgres"],
  ["a state", "running"],
])("a secret that is %s changes nothing of what is done", async (_, secret) => {
  const engine = await startEngine();
  const named = ["--name", "a-postgres", "--url", "https://example.org/a"];
  const line = [bundle.file, "--to", engine.to, ...named, "--secret", "DB"];
  const env = { DB: secret };
  expect(await deploy(line, { env })).toMatchObject({ status: 0 });
  // The one that is there is found, and no second one made.
  const again = await deploy(line, { env });
  expect(again.stderr).toContain("[E_DEPLOY_EXISTS]");
  expect(again.stderr).toContain("which runs another bundle");
  expect(engine.created).toHaveLength(1);
});

test.each([
  ["null", "null"],
  ["false", "false"],
  ["5", "a number"],
  ['"text"', "a text"],
  ["[]", "a list"],
  [`{"a":${"[".repeat(100)}${"]".repeat(100)}}`, "one that is nested too deeply"],
])("an answer that is no object is called what it is: %s", async (text, called) => {
  const engine = await startEngine();
  engine.faults = [
    (_, response) => {
      answer(response, 200, text);
      return true;
    },
  ];
  const client = clientOf(engine.to);
  await expect(list(client)).rejects.toMatchObject({
    code: "E_DEPLOY_ANSWER",
    message: expect.stringContaining(`expected JSON, an object, found status 200 and ${called}`),
  });
  await client.close();
});

test("a name of somebody else's machine is no command there", async () => {
  const [, , script = ""] = tailCommand("a'; echo hurt; '", 3, 100);
  const { stdout } = await run("sh", ["-c", script]);
  expect(stdout).not.toContain("hurt");
});

test("a second signal ends the command at once, and says what may be left", async () => {
  const engine = await startEngine();
  let begun = () => {};
  const isBegun = new Promise<void>((resolve) => {
    begun = resolve;
  });
  let undoing = () => {};
  const isUndoing = new Promise<void>((resolve) => {
    undoing = resolve;
  });
  engine.faults = [
    (asked) => {
      if (asked.method === "DELETE") {
        undoing();
        return true; // And never an answer.
      }
      if (asked.method !== "POST") return false;
      makeEnvironment(engine, JSON.parse(asked.body)).state = "provisioning";
      begun();
      return true;
    },
  ];
  const args = ["deploy", bundle.file, "--to", engine.to, "--url", "https://example.org/a"];
  const env = { ...process.env, FUSE_TOKEN: TOKEN };
  const child = spawn(process.execPath, [bundleCommand, ...args], {
    env,
    stdio: ["ignore", "ignore", "pipe"],
  });
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  await isBegun;
  child.kill("SIGINT");
  await isUndoing;
  child.kill("SIGINT");
  expect(await once(child, "close")).toEqual([null, "SIGINT"]);
  expect(stderr).toContain("interrupted; what was begun is undone");
  expect(stderr).toContain("a machine may be left; `bundle deploy destroy hello` ends it");
});
