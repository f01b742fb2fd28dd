// What ends a request or a stream is there for as long as those are, whatever is collected meanwhile.
import v8 from "node:v8";
import vm from "node:vm";
import { afterEach, expect, test } from "vitest";
import { deploy } from "../../builder/deploy/deploy.ts";
import { environmentEvents } from "../../builder/deploy/events.ts";
import { clientOf, deployment } from "../support/deployment.ts";
import { answer, makeEnvironment, startEngine } from "../support/fuse-engine.ts";

v8.setFlagsFromString("--expose-gc");
const collect: () => void = vm.runInNewContext("gc");

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

/** Collects what nobody holds, again and again. */
function collecting(): void {
  const timer = setInterval(collect, 100);
  closers.push(() => clearInterval(timer));
}

const client = (to: string) => {
  const engine = clientOf(to);
  closers.push(() => engine.close());
  return engine;
};

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

test("a deployment is over when the engine has answered, though its events go on", async () => {
  const engine = await startEngine();
  const steps: string[] = [];
  engine.faults = [
    async (asked, response) => {
      if (asked.method !== "POST") return false;
      const one = makeEnvironment(engine, JSON.parse(asked.body));
      // Until the events are watched, and something was collected.
      while (engine.streams.size === 0) await pause(50);
      collecting();
      await pause(1000);
      answer(response, 201, JSON.stringify(one));
      return true;
    },
  ];
  const watching = {
    signal: new AbortController().signal,
    onStep: (line: string) => steps.push(line),
  };
  const { environment } = await deploy(client(engine.to), deployment, watching);
  expect(environment.id).toBe("fuse-web");
  expect(steps).toEqual(["running on host-1"]);
});

test("a request that is never answered is ended by time and by a signal", async () => {
  const engine = await startEngine();
  engine.faults = [(asked) => asked.method === "POST"];
  collecting();
  const steps: string[] = [];
  const onStep = (line: string) => steps.push(line);
  const never = new AbortController().signal;
  await expect(
    deploy(client(engine.to), { ...deployment, timeout: 2 }, { signal: never, onStep }),
  ).rejects.toThrow("it is not up after 2 s");
  const abort = new AbortController();
  setTimeout(() => abort.abort(new Error("enough")), 1500);
  await expect(
    deploy(client(engine.to), deployment, { signal: abort.signal, onStep }),
  ).rejects.toThrow("enough");
});

test("a stream that says nothing is ended by its silence and by a signal", async () => {
  const engine = await startEngine();
  const one = makeEnvironment(engine, { task_id: "web", spec: {} });
  collecting();
  const abort = new AbortController();
  const reasons: string[] = [];
  const seen: string[] = [];
  const endNext = async () => {
    while (engine.streams.size === 0) await pause(50);
    abort.abort(new Error("enough"));
  };
  const events = environmentEvents(client(engine.to), one.id, "web", {
    signal: abort.signal,
    silence: 1000,
    onReconnect: (why) => {
      reasons.push(why);
      engine.streams.clear();
      void endNext();
    },
  });
  await expect(
    (async () => {
      for await (const { state } of events) seen.push(state);
    })(),
  ).rejects.toThrow("enough");
  expect(abort.signal.aborted).toBe(true);
  expect(seen).toEqual(["running"]);
  expect(reasons[0]).toContain("nothing comes for 1 s");
});

test("a stream is not begun for a signal that was given before", async () => {
  const engine = await startEngine();
  const one = makeEnvironment(engine, { task_id: "web", spec: {} });
  const signal = AbortSignal.abort(new Error("enough"));
  const asked = engine.asked.length;
  const events = environmentEvents(client(engine.to), one.id, "web", { signal });
  await expect(events.next()).rejects.toThrow("enough");
  expect(engine.asked.length).toBe(asked);
});
