// Whose machine a deployment takes, destroys or leaves alone, and what it tells of it.
import type { ServerResponse } from "node:http";
import { afterEach, expect, test, vi } from "vitest";
import { deploy } from "../../builder/deploy/deploy.ts";
import type { Deployment } from "../../builder/deploy/deployment.ts";
import { clientOf, deployment } from "../support/deployment.ts";
import {
  answer,
  type FuseEngine,
  makeEnvironment,
  refuses,
  startEngine,
} from "../support/fuse-engine.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

/** The failure of a deployment, and what it said. */
async function failure(engine: FuseEngine, more: Partial<Deployment> = {}) {
  // Waits are as short as they come.
  vi.spyOn(Math, "random").mockReturnValue(0);
  const client = clientOf(engine.to);
  const steps: string[] = [];
  const watching = {
    signal: new AbortController().signal,
    onStep: (line: string) => void steps.push(line),
  };
  const thrown = await deploy(client, { ...deployment, ...more }, watching).catch((error) => error);
  await client.close();
  return { code: thrown.code, message: `${thrown.message}`, steps };
}

const ask = (engine: FuseEngine, method: string) =>
  engine.asked.filter((asked) => asked.method === method);

test.each([
  [409, "conflict", "E_DEPLOY_EXISTS"],
  [401, "unauthorized", "E_DEPLOY_TOKEN"],
  [403, "forbidden", "E_DEPLOY_FORBIDDEN"],
  [429, "unavailable", "E_DEPLOY_BUSY"],
  [400, "bad_request", "E_DEPLOY_REFUSED"],
  [404, "not_found", "E_DEPLOY_REFUSED"],
  [413, "too_large", "E_DEPLOY_TOO_LARGE"],
  [501, "not_implemented", "E_DEPLOY_UNSUPPORTED"],
])(
  "a machine that somebody else made meanwhile stays where a creation is answered %i",
  async (status, code, ours) => {
    const engine = await startEngine();
    engine.faults = [
      (asked) => {
        if (asked.method === "POST") makeEnvironment(engine, { task_id: "web", spec: {} });
        return false;
      },
      refuses("POST", /environments$/, status, { code }),
    ];
    expect(await failure(engine)).toMatchObject({ code: ours });
    expect([...engine.environments.keys()]).toEqual(["fuse-web"]);
    expect(ask(engine, "DELETE")).toEqual([]);
  },
);

test.each([
  ["fails", (response: ServerResponse) => answer(response, 500), "E_DEPLOY_SERVER"],
  [
    "says that there is no room",
    (response: ServerResponse) =>
      answer(response, 503, JSON.stringify({ error: { code: "unavailable", message: "" } })),
    "E_DEPLOY_NO_ROOM",
  ],
  ["is lost", (response: ServerResponse) => response.destroy(), "E_DEPLOY_EXISTS"],
] as const)(
  "a machine that runs another bundle stays where the answer to a creation %s",
  async (_, end, code) => {
    const engine = await startEngine();
    engine.exec = () => ({ exit_code: 0, stdout: `${"1".repeat(64)}\n`, stderr: "" });
    engine.faults = [
      ({ method, url }, response) => {
        const isCreation = method === "POST" && url.endsWith("/environments");
        if (isCreation) {
          makeEnvironment(engine, { task_id: "web", spec: {} }).state = "running";
          end(response);
        }
        return isCreation;
      },
    ];
    const found = await failure(engine);
    expect(found).toMatchObject({ code });
    expect(found.steps.join()).toContain("fuse-web stays: it is somebody else's");
    expect([...engine.environments.keys()]).toEqual(["fuse-web"]);
    expect(ask(engine, "DELETE")).toEqual([]);
  },
);

test("a machine that comes into being after its creation has failed is destroyed", async () => {
  const engine = await startEngine();
  let looks = 0;
  engine.faults = [
    refuses("POST", /environments$/, 500),
    ({ method, url }) => {
      const isLook = method === "GET" && url.includes("task_id") && ask(engine, "POST").length > 0;
      if (isLook && ++looks === 2) makeEnvironment(engine, { task_id: "web", spec: {} });
      return false;
    },
  ];
  const { code, steps } = await failure(engine);
  expect(code).toBe("E_DEPLOY_SERVER");
  expect(steps).toContain("what was half made is destroyed: fuse-web");
  expect(engine.environments.size).toBe(0);
});

/** A deployment whose time is over at a moment of the test's. */
function timed() {
  const timeout = 77;
  const timers = vi.spyOn(globalThis, "setTimeout");
  const isOver = () => {
    for (const [end, after] of timers.mock.calls) if (after === timeout * 1000) end();
  };
  return { timeout, isOver };
}

test("what failed in time is said, however long it takes to destroy what was half made", async () => {
  const engine = await startEngine();
  const { timeout, isOver } = timed();
  engine.faults = [
    ({ method }) => {
      if (method === "POST") makeEnvironment(engine, { task_id: "web", spec: {} });
      if (method === "DELETE") isOver();
      return false;
    },
    refuses("POST", /environments$/, 500),
  ];
  const { code, steps } = await failure(engine, { timeout });
  expect(code).toBe("E_DEPLOY_SERVER");
  expect(steps).toContain("what was half made is destroyed: fuse-web");
});

test("what cut an answer is said, where the time is over before it is known what was done", async () => {
  const engine = await startEngine();
  const { timeout, isOver } = timed();
  engine.faults = [
    ({ method }, response) => {
      const isCreation = method === "POST";
      if (isCreation) response.destroy();
      else if (ask(engine, "POST").length > 0) isOver();
      return isCreation;
    },
  ];
  const { code, message, steps } = await failure(engine, { timeout });
  expect(code).toBe("E_DEPLOY_UNREACHABLE");
  expect(message).toContain("the connection was cut");
  expect(steps).toEqual(["the answer was lost; the orchestrator is asked what became of it"]);
});

test("a machine of that name that does not run is told, and not asked what it runs", async () => {
  const engine = await startEngine();
  makeEnvironment(engine, { task_id: "web", spec: {} }).state = "draining";
  engine.exec = () => ({ exit_code: 0, stdout: deployment.sha256, stderr: "" });
  const { code, message } = await failure(engine);
  expect(code).toBe("E_DEPLOY_EXISTS");
  expect(message).toContain("which is draining");
  expect(ask(engine, "POST")).toEqual([]);
  expect(engine.environments.size).toBe(1);
});

test("last words of an app that does not come up are told without its secrets", async () => {
  const engine = await startEngine();
  engine.faults = [
    () => {
      for (const one of engine.environments.values())
        one.health = { state: "failing", failures: 3 };
      return false;
    },
  ];
  const secret = "postgres://user:hunter2@db";
  engine.exec = () => ({ exit_code: 0, stdout: `40\nno answer of ${secret}\n`, stderr: "" });
  const secrets = new Map([["DATABASE_URL", secret]]);
  const { code, message } = await failure(engine, { wait: true, secrets });
  expect(code).toBe("E_DEPLOY_FAILED");
  expect(message).toContain("it said: no answer of");
  expect(message).not.toContain("hunter2");
  expect(engine.environments.size).toBe(0);
});
