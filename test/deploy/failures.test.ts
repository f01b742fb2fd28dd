// What goes wrong at an engine: each has a code of its own, and nothing half made stays.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, expect, test } from "vitest";
import {
  answer,
  deploy,
  event,
  type FuseEngine,
  makeEnvironment,
  refuses,
  startEngine,
  TOKEN,
} from "../support/fuse-engine.ts";
import { helloBundle } from "../support/hello-bundle.ts";
import { bundleCommand } from "../support/process.ts";
import { temporaryDirectory } from "../support/temporary.ts";

let bundle: { file: string; sha256: string };
beforeAll(async () => {
  bundle = await helloBundle();
});

const line = (engine: FuseEngine, ...more: string[]) => [
  ...[bundle.file, "--to", engine.to, "--url", "https://example.org/hello.run", ...more],
];

const creation = { method: "POST", pattern: /^\/v1\/environments$/ };
const refused = (status: number, said: Parameters<typeof refuses>[3]) =>
  refuses(creation.method, creation.pattern, status, said);

test("a failure has its code, is safe for a terminal, and nothing is asked twice", async () => {
  const engine = await startEngine();
  engine.faults = [refused(501, { code: "unimplemented", message: "because of \x1b[2J" })];
  const outcome = await deploy(line(engine));
  expect(outcome.status).toBe(1);
  expect(outcome.stdout).toBe("");
  expect(outcome.stderr).toContain(
    "bundle: [E_DEPLOY_UNSUPPORTED] hello: its hosts cannot do that",
  );
  expect(outcome.stderr).not.toContain("\x1b");
  expect(engine.asked.filter(({ method }) => method === "POST")).toHaveLength(1);
  expect(engine.asked.filter(({ method }) => method === "DELETE")).toHaveLength(0);
});

test("a script of the machine that failed is said in words", async () => {
  const engine = await startEngine();
  const message = "provision vm fuse-hello: startup script: exec exit 82";
  engine.faults = [refused(500, { message })];
  const { stderr } = await deploy(line(engine));
  expect(stderr).toContain("[E_DEPLOY_FAILED] hello: the machine cannot fetch the bundle");
});

test("a token that is refused, and none, say where one comes from", async () => {
  const engine = await startEngine();
  const wrong = await deploy(["list", "--to", engine.to], { env: { FUSE_TOKEN: "wrong-token" } });
  expect(wrong.stderr).toContain("[E_DEPLOY_TOKEN]");
  expect(wrong.stderr).toContain("with the token of FUSE_TOKEN");
  expect(wrong.stderr).not.toContain("wrong-token");
  const none = await deploy(["list", "--to", engine.to], { env: { FUSE_TOKEN: undefined } });
  expect(none.stderr).toContain("without a token");
  expect(none.stderr).toContain("/nonexistent/fuse/config.yaml");
});

test("a token of a file is taken, unless others may read it", async () => {
  const engine = await startEngine();
  const config = temporaryDirectory();
  const file = path.join(config, "fuse/config.yaml");
  mkdirSync(path.dirname(file));
  const address = engine.to.replace("fuse:", "http:");
  const contexts = `contexts:\n  - name: a\n    base_url: http://127.0.0.1:1\n    token: no\n  - {name: b, base_url: "${address}/", token: ${TOKEN}}\n`;
  writeFileSync(file, contexts, { mode: 0o600 });
  const env = { FUSE_TOKEN: undefined, XDG_CONFIG_HOME: config };
  expect((await deploy(["list", "--to", engine.to], { env })).status).toBe(0);
  for (const mode of [0o640, 0o604, 0o622]) {
    chmodSync(file, mode);
    const open = await deploy(["list", "--to", engine.to], { env });
    expect(open.stderr).toContain(`[E_DEPLOY_CREDENTIALS] ${file}`);
    expect(open.stderr).toContain(`found ${mode.toString(8)}`);
  }
  for (const text of ["contexts: 1", `{ "contexts": [ ${TOKEN}`, "contexts: [{token: 5}]"]) {
    writeFileSync(file, text);
    chmodSync(file, 0o600);
    const broken = await deploy(["list", "--to", engine.to], { env });
    expect(broken.stderr).toContain("[E_DEPLOY_CREDENTIALS]");
    expect(broken.stderr).not.toContain(TOKEN);
  }
});

test("429 is waited for as Retry-After says, and not for ever", async () => {
  const engine = await startEngine();
  const headers = { "retry-after": "1" };
  engine.faults = [refused(429, { code: "unavailable", headers, times: 1 })];
  const started = Date.now();
  expect((await deploy(line(engine))).status).toBe(0);
  expect(Date.now() - started).toBeGreaterThanOrEqual(1000);
  expect(engine.created).toHaveLength(1);
  engine.environments.clear();
  engine.faults = [refused(429, { code: "unavailable", headers: { "retry-after": "9999" } })];
  const busy = await deploy(line(engine));
  expect(busy.stderr).toContain("[E_DEPLOY_BUSY] hello");
});

test("an engine that does not answer in time leaves nothing", async () => {
  const engine = await startEngine();
  engine.faults = [
    (asked) => {
      if (asked.method !== "POST") return false;
      makeEnvironment(engine, JSON.parse(asked.body)).state = "provisioning";
      return true; // And never an answer.
    },
  ];
  const slow = await deploy(line(engine, "--timeout", "10"));
  expect(slow.stderr).toContain("[E_DEPLOY_TIMEOUT] hello: it is not up after 10 s");
  expect(slow.stderr).toContain("bundle: hello: provisioning on host-1\n");
  expect(slow.stderr).toContain("what was half made is destroyed: fuse-hello");
  expect(engine.environments.size).toBe(0);
});

test("an engine that dies in the middle and comes back is asked what became of it", async () => {
  const engine = await startEngine();
  engine.faults = [
    async (asked) => {
      if (asked.method !== "POST") return false;
      const one = makeEnvironment(engine, JSON.parse(asked.body));
      one.state = "provisioning";
      engine.die();
      setTimeout(() => engine.revive(), 1500);
      setTimeout(() => {
        one.state = "running";
        for (const stream of engine.streams) stream.write(event(one, "1".repeat(32)));
      }, 4000);
      return true;
    },
  ];
  const { status, stdout, stderr } = await deploy(line(engine, "--json"));
  expect(stderr).toContain("the answer was lost; the orchestrator is asked what became of it");
  expect({ status, state: JSON.parse(stdout).state }).toEqual({ status: 0, state: "running" });
  const creations = engine.asked.filter(
    ({ method, url }) => method === "POST" && url.endsWith("/environments"),
  );
  expect(creations).toHaveLength(1);
});

test("an engine that dies in the middle and has forgotten it, or stays dead, is said", async () => {
  const engine = await startEngine();
  engine.faults = [
    (asked) => {
      if (asked.method !== "POST") return false;
      engine.die();
      setTimeout(() => engine.revive(), 500);
      return true;
    },
  ];
  const forgotten = await deploy(line(engine, "--timeout", "10"));
  expect(forgotten.stderr).toContain("[E_DEPLOY_UNREACHABLE]");
  expect(forgotten.stderr).toContain("the connection was cut");
  engine.faults = [
    (asked) => {
      if (asked.method === "POST") engine.die();
      return asked.method === "POST";
    },
  ];
  const dead = await deploy(line(engine, "--timeout", "10"));
  expect(dead.stderr).toContain("[E_DEPLOY_UNREACHABLE]");
  expect(dead.stderr).toContain("a machine may be left");
  expect(dead.stderr).toContain("`bundle deploy destroy hello`");
});

test("a port that HTTP clients refuse is said to be one", async () => {
  const { stderr } = await deploy(["list", "--to", "fuse://127.0.0.1:6000"]);
  expect(stderr).toMatch(/\[E_DEPLOY_UNREACHABLE\] .*another protocol/);
});

test.each(["SIGINT", "SIGTERM"] as const)("%s destroys what was half made", async (signal) => {
  const engine = await startEngine();
  const begun = new Promise<void>((resolve) => {
    engine.faults = [
      (asked) => {
        if (asked.method !== "POST") return false;
        makeEnvironment(engine, JSON.parse(asked.body)).state = "provisioning";
        resolve();
        return true;
      },
    ];
  });
  const args = [bundleCommand, "deploy", ...line(engine)];
  const env = { ...process.env, FUSE_TOKEN: TOKEN };
  const child = spawn(process.execPath, args, { env, stdio: ["ignore", "ignore", "pipe"] });
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  await begun;
  child.kill(signal);
  expect(await once(child, "close")).toEqual([null, signal]);
  expect(stderr).toContain("bundle: hello: interrupted; what was begun is undone");
  expect(stderr).toContain("bundle: hello: what was half made is destroyed: fuse-hello");
  expect(engine.environments.size).toBe(0);
});

test("a stream of events that breaks off is begun again where it was", async () => {
  const engine = await startEngine();
  await deploy(line(engine));
  const [one] = engine.environments.values();
  if (one === undefined) throw new Error("nothing was deployed");
  let streams = 0;
  engine.faults = [
    (asked, response) => {
      if (!asked.url.includes("/events")) return false;
      const ids = ["a", "b", "c", "d"].map((letter) => letter.repeat(32));
      streams++;
      if (streams === 2) answer(response, 502, "<html>");
      else response.writeHead(200, { "content-type": "text/event-stream" });
      if (streams === 1) {
        // In pieces, with a comment, cut in the middle of an event.
        const text = `: keepalive\n\n${event(one, ids[0] ?? "")}${event(one, ids[1] ?? "", "draining")}`;
        response.write(text.slice(0, 40));
        setTimeout(() => response.write(`${text.slice(40)}data: {"half`), 50);
        setTimeout(() => response.destroy(), 150);
      }
      if (streams === 3) {
        one.updated_at = new Date(Date.now() + 1000).toISOString();
        response.end(
          event(one, ids[2] ?? "", "destroying") + event(one, ids[3] ?? "", "destroyed"),
        );
      }
      return true;
    },
  ];
  const { status, stdout, stderr } = await deploy(["events", "hello", "--to", engine.to]);
  const states = stdout.trim().split("\n");
  expect(states.map((text) => text.split(" ")[1])).toEqual([
    ...["running", "draining", "destroying", "destroyed"],
  ]);
  expect(status).toBe(0);
  expect(stderr).toContain("the stream is begun again");
  const asked = engine.asked.filter(({ url }) => url.includes("/events"));
  expect(asked.map(({ headers }) => headers["last-event-id"])).toEqual([
    ...[undefined, "b".repeat(32), "b".repeat(32)],
  ]);
  expect(asked[1]?.url).toContain(`last_event_id=${"b".repeat(32)}`);
});

test("secrets are in the request alone: in no failure, no step and no output", async () => {
  const engine = await startEngine();
  const secret = 's3cr3t "value"\nof two lines';
  const file = path.join(temporaryDirectory(), "secret");
  writeFileSync(file, `${secret}\n`, { mode: 0o600 });
  const encoded = Buffer.from(secret).toString("base64");
  const echo = `bad ${secret} and ${JSON.stringify(secret)} and ${encoded} and ${TOKEN}`;
  engine.faults = [refused(500, { message: echo })];
  const failed = await deploy(line(engine, "--secret", `DB=@${file}`), {
    env: { FUSELAGE_DEBUG: "1" },
  });
  const all = failed.stdout + failed.stderr;
  expect(all).toContain("[E_DEPLOY_SERVER] hello: the orchestrator answers 500: bad [hidden]");
  for (const part of [TOKEN, encoded, "s3cr3t", "of two lines"]) expect(all).not.toContain(part);
  engine.faults = [];
  expect((await deploy(line(engine, "--secret", `DB=@${file}`))).status).toBe(0);
  expect(engine.created.at(-1)?.secrets).toEqual({ DB: secret });
});

test("a secret that others may read, that is empty, twice there or nowhere is refused by name", async () => {
  const engine = await startEngine();
  const file = path.join(temporaryDirectory(), "secret");
  writeFileSync(file, "s3cr3t");
  chmodSync(file, 0o644);
  const cases: [string[], string][] = [
    [["--secret", `A=@${file}`], "everybody on this machine may read or change its file"],
    [["--secret", "A=@/nonexistent"], "its file cannot be read"],
    [["--secret", "A="], "its value cannot be handed over"],
    [["--secret", "A_NAME_NOWHERE"], "the environment has no variable of that name"],
    [["--secret", "A=s3cr3t", "--secret", "A=s3cr3t"], "it was given twice"],
    [["--secret", "1s3cr3t=x"], "K of letters, digits and _"],
    [["--secret", "A=s3cr3t", "--env", "A=1"], "both set A"],
  ];
  for (const [args, message] of cases) {
    const { status, stderr } = await deploy(line(engine, ...args));
    expect(stderr).toContain(message);
    expect(stderr).not.toContain("s3cr3t");
    expect(status).not.toBe(0);
  }
  expect(engine.created).toHaveLength(0);
});

test("a token goes nowhere without encryption", async () => {
  const plain = await deploy(["list", "--to", "http://engine.example.org"]);
  expect(plain.stderr).toContain("[E_DEPLOY_INSECURE] http://engine.example.org");
  for (const to of [
    "fuse://me:s3cr3t@localhost",
    "ftp://localhost",
    "fuse://",
    "fuse://a?s3cr3t",
  ]) {
    const wrong = await deploy(["list", "--to", to]);
    expect(wrong.status).toBe(2);
    expect(wrong.stderr).not.toContain("s3cr3t");
  }
});

test("what a machine's state does not allow, and what is not there, are told apart", async () => {
  const engine = await startEngine();
  await deploy(line(engine));
  engine.faults = [
    refuses("POST", /snapshots$/, 409, { code: "conflict", message: "vm is draining" }),
  ];
  const conflict = await deploy(["snapshot", "hello", "--to", engine.to]);
  expect(conflict.stderr).toContain(
    "[E_DEPLOY_CONFLICT] hello: it cannot be done now: vm is draining",
  );
  const nothing = await deploy(["destroy", "nothing", "--to", engine.to]);
  expect(nothing.stderr).toContain("[E_DEPLOY_NOT_FOUND] nothing: there is no such environment");
  const snapshot = await deploy(["restore", "snap-9", "--to", engine.to]);
  expect(snapshot.stderr).toContain("[E_DEPLOY_NOT_FOUND] snap-9: there is no such snapshot");
  expect(snapshot.stderr).toContain("`bundle deploy list --snapshots` shows");
});

test.each([
  [403, "unauthorized", "only the operator's token may run commands"],
  [501, "unimplemented", "its hosts run no commands in machines"],
])("where no commands run, by an answer of %i, it is said why", async (code, word, why) => {
  const engine = await startEngine();
  await deploy(line(engine));
  engine.faults = [refuses("POST", /action=exec/, code, { code: word })];
  const again = await deploy(line(engine));
  expect(again.stderr).toContain(`[E_DEPLOY_EXISTS] hello: there is one of that name, and it`);
  expect(again.stderr).toContain(`which bundle it runs: ${why}\n`);
  const drained = await deploy(["drain", "hello", "--to", engine.to]);
  expect(drained.stderr).toContain(`the app is not asked to end: ${why}\n`);
  expect(drained.status).toBe(0);
});

test.each([
  [["status"], "NAME is missing"],
  [["stauts", "a"], "Did you mean `bundle deploy status`?"],
  [["lst"], "Did you mean `bundle deploy list`?"],
  [["list", "a", "b"], '"b" is one argument too many'],
  [["exec", "a"], "the command is missing"],
  [["list", "--cpus", "2"], "--cpus says nothing about list"],
  [["status", "a", "--", "b"], "status takes nothing behind --"],
  [["app.run"], "--url is missing"],
  [["app.run", "--serve", "--url", "http://a/b"], "--serve and --url are two places"],
  [["app.run", "--url", "ftp://a"], "--url"],
  [["app.run", "--url", "http://a/b", "--name", "-a"], "--name"],
  [["app.run", "--url", "http://a/b", "--memory", "5"], "--memory"],
  [["app.run", "--url", "http://a/b", "--label", "a"], "--label"],
  [["app.run", "--url", "http://a/b", "--ttl", "5"], "--ttl"],
  [["app.run", "--url", "http://a/b", "--follow"], "--follow says nothing about a deployment"],
])("%j is refused", async (args, message) => {
  const { status, stderr } = await deploy(["--to", "fuse://127.0.0.1:1", ...args]);
  expect(stderr).toContain(message);
  expect(status).toBe(2);
});
