// Every action against every failure of an engine, in one process and at once: what each says, what it asks
// twice, and what it leaves.
import { AsyncLocalStorage } from "node:async_hooks";
import { once } from "node:events";
import http, { type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { type Action, actions } from "../../builder/cli/deploy/actions.ts";
import { metricTable } from "../../builder/cli/deploy/show.ts";
import { formatError } from "../../builder/cli/print.ts";
import { deploy } from "../../builder/deploy/deploy.ts";
import type { Deployment } from "../../builder/deploy/deployment.ts";
import { figures } from "../../builder/deploy/metrics.ts";
import { BundleError } from "../../builder/errors.ts";
import { clientOf, deployment } from "../support/deployment.ts";
import {
  answer,
  event,
  type FuseEngine,
  makeEnvironment,
  startEngine,
  TOKEN,
} from "../support/fuse-engine.ts";

type Name = keyof typeof actions | "deploy";

interface Own {
  /** Of the request that the action is about. */
  method: string;
  url: RegExp;
  /** Whether it does no harm to ask twice. */
  again?: boolean;
  /** What the failure says where nobody knows whether it was done. */
  doubt?: RegExp;
  more?: Partial<Action>;
}

const own: Record<Name, Own> = {
  deploy: { method: "POST", url: /environments$/ },
  list: { method: "GET", url: /environments$/, again: true },
  status: { method: "GET", url: /task_id=/, again: true },
  events: { method: "GET", url: /events/, again: true },
  logs: { method: "POST", url: /action=exec/, again: true },
  exec: {
    method: "POST",
    url: /action=exec/,
    doubt: /The command may have run/,
    more: { rest: ["true"] },
  },
  snapshot: { method: "POST", url: /snapshots$/, doubt: /may have been made .*list --snapshots/ },
  fork: { method: "POST", url: /action=fork/, doubt: /may have been made .*deploy list/ },
  restore: {
    method: "POST",
    url: /action=restore/,
    doubt: /may have been done all the same, or in part/,
    more: { name: "snap-1" },
  },
  drain: { method: "POST", url: /action=drain/, doubt: /may be draining .*deploy status/ },
  destroy: { method: "DELETE", url: /environments/, again: true },
  metrics: { method: "GET", url: /metrics/, again: true, more: { name: "" } },
};
const names = Object.keys(own) as Name[];

interface Fault {
  respond: (response: ServerResponse, engine: FuseEngine) => void;
  /** What it is; "done": no failure. */
  code: string;
  /** Where it is another. */
  but?: Partial<Record<Name, string>>;
  /** "passing": asked again where that does no harm; "always": asked again in any case. Five times in all. */
  tried?: "passing" | "always";
  /** Whether what was asked for may have been done. */
  isDoubtful?: boolean;
  /** Those that meet it, by themselves: it takes what there is of time and memory. */
  only?: readonly Name[];
}

const said = (status: number, code: string, headers = {}) => ({
  respond: (response: ServerResponse) =>
    answer(response, status, JSON.stringify({ error: { code, message: `\x1b${TOKEN}` } }), headers),
});

/** Where the answer to a creation was lost, the machine is found and taken; whoever else is asked is none. */
const lost = { code: "E_DEPLOY_UNREACHABLE", but: { deploy: "done" }, tried: "passing" } as const;
const foreign = { code: "E_DEPLOY_ANSWER", isDoubtful: true } as const;
const json = { "content-type": "application/json" };

/** The beginning of an answer, after which the connection ends. */
const cut = (status: number, headers: http.OutgoingHttpHeaders) => (response: ServerResponse) => {
  response.writeHead(status, headers).write('{"id": "fu');
  setTimeout(() => response.destroy(), 10);
};

/** One of each way to ask: for a list, for something done, for a stream, for a page. */
const LONG = ["list", "fork", "events", "metrics"] as const;

function endless(response: ServerResponse, status: number, type: string): void {
  response.writeHead(status, { "content-type": type });
  const piece = Buffer.alloc(1 << 18, "x");
  const more = (): void => {
    while (!response.destroyed && response.write(piece));
  };
  response.on("drain", more);
  more();
}

const faults: Record<string, Fault> = {
  "400": { ...said(400, "invalid_argument"), code: "E_DEPLOY_REFUSED" },
  "401": { ...said(401, "unauthorized"), code: "E_DEPLOY_TOKEN" },
  "403 of a key": { ...said(403, "unauthorized"), code: "E_DEPLOY_FORBIDDEN" },
  "403 of an address": { ...said(403, "forbidden"), code: "E_DEPLOY_FORBIDDEN" },
  "404": {
    ...said(404, "not_found"),
    code: "E_DEPLOY_NOT_FOUND",
    // What is always there cannot be missing; what is gone is destroyed.
    but: {
      ...{ deploy: "E_DEPLOY_REFUSED", destroy: "done" },
      ...{ list: "E_DEPLOY_ANSWER", status: "E_DEPLOY_ANSWER", metrics: "E_DEPLOY_ANSWER" },
    },
  },
  "404 of a route": { ...said(404, "route_not_found"), code: "E_DEPLOY_ANSWER" },
  "409": {
    ...said(409, "conflict"),
    code: "E_DEPLOY_CONFLICT",
    but: { deploy: "E_DEPLOY_EXISTS" },
  },
  "413": { ...said(413, "payload_too_large"), code: "E_DEPLOY_TOO_LARGE" },
  "418": { ...said(418, "teapot"), code: "E_DEPLOY_ANSWER" },
  "429": { ...said(429, "unavailable"), code: "E_DEPLOY_BUSY", tried: "always" },
  "429 for no time": {
    ...said(429, "unavailable", { "retry-after": "0" }),
    code: "E_DEPLOY_BUSY",
    tried: "always",
  },
  "429 until nonsense": {
    ...said(429, "unavailable", { "retry-after": "soon, -5" }),
    code: "E_DEPLOY_BUSY",
    tried: "always",
  },
  "429 for ever": {
    ...said(429, "unavailable", { "retry-after": "9".repeat(30) }),
    code: "E_DEPLOY_BUSY",
  },
  "429 until the year 9999": {
    ...said(429, "unavailable", { "retry-after": "Fri, 31 Dec 9999 23:59:59 GMT" }),
    code: "E_DEPLOY_BUSY",
  },
  "500": {
    ...said(500, "internal"),
    code: "E_DEPLOY_SERVER",
    isDoubtful: true,
  },
  "501": { ...said(501, "unimplemented"), code: "E_DEPLOY_UNSUPPORTED" },
  "502": {
    respond: (response) => answer(response, 502, "<html>"),
    code: "E_DEPLOY_SERVER",
    tried: "passing",
    isDoubtful: true,
  },
  "503 of an engine without room": {
    ...said(503, "unavailable"),
    code: "E_DEPLOY_SERVER",
    but: { deploy: "E_DEPLOY_NO_ROOM", fork: "E_DEPLOY_NO_ROOM" },
    tried: "passing",
    isDoubtful: true,
  },
  "503 of a proxy": {
    respond: (response) => answer(response, 503, "<html>", { "retry-after": "0" }),
    code: "E_DEPLOY_SERVER",
    tried: "passing",
    isDoubtful: true,
  },
  "cut in the middle": {
    respond: cut(200, { ...json, "content-length": 100 }),
    ...lost,
    but: { ...lost.but, events: "E_DEPLOY_ANSWER" },
    isDoubtful: true,
  },
  "cut in the middle of a part": {
    respond: cut(200, json),
    ...lost,
    but: { ...lost.but, events: "E_DEPLOY_ANSWER" },
    isDoubtful: true,
  },
  "cut in the middle of a failure": {
    respond: cut(500, { ...json, "content-length": 100 }),
    ...lost,
    isDoubtful: true,
  },
  "never begun": { respond: (response) => response.destroy(), ...lost, isDoubtful: true },
  "the end of an engine that starts again": {
    respond(_, engine) {
      engine.die();
      void engine.revive();
    },
    ...lost,
    isDoubtful: true,
  },
  "no JSON": { respond: (response) => answer(response, 200, "<html>"), ...foreign },
  "a page": {
    respond: (response) => answer(response, 200, "<html>", { "content-type": "text/html" }),
    ...foreign,
  },
  "JSON of another shape": {
    respond: (response) => answer(response, 200, '{"status": "ok"}'),
    ...foreign,
  },
  "a list": { respond: (response) => answer(response, 200, "[]"), ...foreign },
  nothing: { respond: (response) => answer(response, 200, ""), ...foreign },
  "204": {
    respond: (response) => answer(response, 204),
    ...foreign,
    but: { restore: "done", drain: "done", destroy: "done", fork: "done" },
  },
  "JSON that is nested deeply": {
    respond: (response) => answer(response, 200, `{"a":${"[".repeat(1e5)}${"]".repeat(1e5)}}`),
    ...foreign,
  },
  "205": { respond: (response) => answer(response, 205, "{}"), ...foreign },
  "304": { respond: (response) => answer(response, 304), code: "E_DEPLOY_ANSWER" },
  "307 to another host": {
    respond: (response) => answer(response, 307, "", { location: elsewhere.location }),
    code: "E_DEPLOY_ANSWER",
  },
  "a status of no HTTP": {
    respond: (response) => answer(response, 999, "{}"),
    code: "E_DEPLOY_ANSWER",
  },
  "another protocol": {
    respond: (response) => void response.socket?.end("SSH-2.0-OpenSSH_9\r\n"),
    ...foreign,
  },
  "packed otherwise than it says": {
    respond: (response) => answer(response, 200, "{}", { "content-encoding": "gzip" }),
    ...foreign,
  },
  "huge headers": {
    respond: (response) => answer(response, 200, "{}", { "x-a": "x".repeat(100_000) }),
    ...foreign,
  },
  "huge JSON": {
    respond: (response) => endless(response, 200, "application/json"),
    ...foreign,
    only: LONG,
  },
  "a huge failure that calls itself a stream": {
    respond: (response) => endless(response, 500, "text/event-stream"),
    ...foreign,
    only: LONG,
  },
  "a huge stream": {
    respond: (response) => endless(response, 200, "text/event-stream"),
    ...foreign,
    only: LONG,
  },
};

/** Another host, and how often it was asked. */
const elsewhere = { location: "", asked: 0 };
const other = http.createServer((_, response) => {
  elsewhere.asked++;
  response.end("{}");
});
beforeAll(async () => {
  other.listen(0, "127.0.0.1");
  await once(other, "listening");
  elsewhere.location = `http://127.0.0.1:${(other.address() as AddressInfo).port}/`;
});
afterAll(() => void other.close());

/** What is printed by each of those that go on at once. */
const output = new AsyncLocalStorage<{ out: string; err: string; told: (text: string) => void }>();

beforeEach(() => {
  for (const [stream, key] of [
    [process.stdout, "out"],
    [process.stderr, "err"],
  ] as const) {
    const real = stream.write.bind(stream);
    vi.spyOn(stream, "write").mockImplementation(((text: string) => {
      const printed = output.getStore();
      if (printed === undefined) return real(text);
      printed[key] += text;
      printed.told(text);
      return true;
    }) as typeof stream.write);
  }
  // Waits are as short as they come.
  vi.spyOn(Math, "random").mockReturnValue(0);
});
afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
});

interface Outcome {
  code: string;
  /** All that is shown. */
  text: string;
  out: string;
  hint: string;
}

async function attempt(
  name: Name,
  to: string,
  more: Partial<Deployment> & { follow?: boolean } = {},
  told: (text: string) => void = () => {},
): Promise<Outcome> {
  const engine = clientOf(to);
  const printed = { out: "", err: "", told };
  const onStep = (line: string) => {
    printed.err += line;
    told(line);
  };
  const { signal } = new AbortController();
  const common = {
    engine,
    name: "web",
    options: { to, follow: more.follow },
    rest: [],
    json: false,
  };
  try {
    await output.run(printed, async () => {
      if (name === "deploy") await deploy(engine, { ...deployment, ...more }, { signal, onStep });
      else await actions[name]({ ...common, ...own[name].more });
    });
    return { code: "done", text: printed.out + printed.err, out: printed.out, hint: "" };
  } catch (cause) {
    if (!(cause instanceof BundleError)) throw cause;
    const { code, hint } = cause;
    const failure = formatError(cause, { program: "bundle", names: (key) => key });
    return { code, text: printed.out + printed.err + failure, out: printed.out, hint };
  } finally {
    await engine.close();
  }
}

/** An engine with the machine `web`, or none where that is to be made. */
async function engineFor(name: Name): Promise<FuseEngine> {
  const engine = await startEngine();
  if (name !== "deploy") makeEnvironment(engine, { task_id: "web", spec: {} });
  return engine;
}

async function meets(name: Name, { respond, code, but, tried, isDoubtful }: Fault) {
  const { method, url, again = false, doubt } = own[name];
  const engine = await engineFor(name);
  let count = 0;
  engine.faults = [
    (asked, response) => {
      if (asked.method !== method || !url.test(asked.url)) return false;
      count++;
      // The machine is made, and only the answer goes wrong.
      if (name === "deploy" && isDoubtful) makeEnvironment(engine, JSON.parse(asked.body));
      respond(response, engine);
      return true;
    },
  ];
  const { text, out, hint, ...rest } = await attempt(name, engine.to);
  const wanted = but?.[name] ?? code;
  // A stream is begun again whatever an engine met, unless it is no engine.
  const mayPass = /SERVER|UNREACHABLE/.test(wanted);
  const isAgain = again && mayPass && (tried === "passing" || name === "events");
  const found = {
    ...{ ...rest, count, doubt: doubt?.test(hint) ?? false, out: wanted === "done" || out === "" },
    ...{ isTold: text.includes(TOKEN), isRaw: text.includes("\x1b") },
    left: [...engine.environments.keys()].join(),
  };
  const isKept = name === "deploy" ? wanted === "done" : true;
  const right = {
    ...{ code: wanted, count: isAgain || tried === "always" ? 5 : 1, out: true },
    doubt: doubt !== undefined && isDoubtful === true && !/done|NO_ROOM/.test(wanted),
    ...{ isTold: false, isRaw: false, left: isKept ? "fuse-web" : "" },
  };
  const wrong = Object.entries(found).filter(
    ([key, value]) => right[key as keyof typeof right] !== value,
  );
  expect(JSON.stringify(wrong)).toBe("[]");
}

/** @returns what is not as it is to be */
async function wrong(pairs: readonly [string, Fault, Name][]): Promise<string[]> {
  const all = pairs.map(async ([fault, what, name]) => {
    try {
      await meets(name, what);
      return [];
    } catch (cause) {
      return [`${name} meets ${fault}: ${cause}`];
    }
  });
  return (await Promise.all(all)).flat();
}

const pairs = Object.entries(faults).flatMap(([fault, what]) =>
  (what.only ?? names).map((name): [string, Fault, Name] => [fault, what, name]),
);

test("every action meets every failure of an engine with a code of its own, and leaves nothing half made", async () => {
  const short = pairs.filter(([, { only }]) => only === undefined);
  expect(short.length).toBeGreaterThan(400);
  expect((await wrong(short)).join("\n")).toBe("");
  expect(elsewhere.asked).toBe(0);
});

test("an answer without an end is not kept", async () => {
  const before = process.memoryUsage().rss;
  let most = before;
  for (const pair of pairs.filter(([, { only }]) => only !== undefined)) {
    expect((await wrong([pair])).join("\n")).toBe("");
    most = Math.max(most, process.memoryUsage().rss);
  }
  // At most 16 MiB of each, a few times over until they are collected.
  expect(most - before).toBeLessThan(500 << 20);
});

test("an engine that never answers is not waited for for ever, by any action", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  try {
    const attempts = names.map(async (name) => {
      const { method, url } = own[name];
      const engine = await engineFor(name);
      const isAsked = new Promise<void>((resolve) => {
        engine.faults = [
          (asked) => {
            if (asked.method !== method || !url.test(asked.url)) return false;
            resolve();
            return true;
          },
        ];
      });
      return { name, isAsked, outcome: attempt(name, engine.to) };
    });
    const going = await Promise.all(attempts);
    await Promise.all(going.map(({ isAsked }) => isAsked));
    // The longest that anything may take is ten minutes.
    vi.advanceTimersByTime(601_000);
    for (const { name, outcome } of going.filter(({ name }) => name !== "events")) {
      const { code, hint, text } = await outcome;
      const wanted = name === "deploy" ? "E_DEPLOY_TIMEOUT" : "E_DEPLOY_UNREACHABLE";
      expect({ name, code }).toEqual({ name, code: wanted });
      if (name !== "deploy") expect(text).toMatch(/there is no answer in \d+ s/);
      expect(hint).toMatch(own[name].doubt ?? /./);
    }
  } finally {
    vi.useRealTimers();
  }
});

/** What one connection gives, and whether it ends by itself. */
type Stream = (one: ReturnType<typeof makeEnvironment>) => string;
const at = (one: ReturnType<typeof makeEnvironment>, second: number, state: string) =>
  event({ ...one, updated_at: new Date(1e12 + second * 1000).toISOString() }, `${second}`, state);

const streams: [string, Stream[], { code: string; states: string[]; asked: number }][] = [
  [
    "drops after each event",
    [
      (one) => at(one, 1, "running"),
      (one) => at(one, 2, "draining"),
      (one) => at(one, 3, "failed"),
    ],
    { code: "done", states: ["running", "draining", "failed"], asked: 3 },
  ],
  [
    "begins from the beginning each time",
    [
      (one) => at(one, 1, "provisioning") + at(one, 2, "running"),
      (one) => at(one, 1, "provisioning") + at(one, 2, "running") + at(one, 3, "draining"),
      (one) => [1, 2].map((second) => at(one, second, "old")).join("") + at(one, 4, "destroyed"),
    ],
    { code: "done", states: ["provisioning", "running", "draining", "destroyed"], asked: 3 },
  ],
  [
    "says the same again and again, and ends",
    [(one) => at(one, 1, "running") + at(one, 1, "running")],
    { code: "E_DEPLOY_UNREACHABLE", states: ["running"], asked: 5 },
  ],
  [
    "is of something else",
    [(one) => `${at(one, 1, "running")}data: {"vm_id": 5}\n\n`],
    { code: "E_DEPLOY_ANSWER", states: ["running"], asked: 1 },
  ],
  [
    "has an event without an end",
    [(one) => `${at(one, 1, "running")}data: ${"x".repeat(3 << 20)}`],
    { code: "E_DEPLOY_ANSWER", states: ["running"], asked: 1 },
  ],
];

test.each(streams)("of a stream that %s each event is told once", async (_, pieces, wanted) => {
  const engine = await engineFor("events");
  const [one] = engine.environments.values();
  if (one === undefined) throw new Error("there is none");
  let asked = 0;
  engine.faults = [
    ({ url }, response) => {
      if (!url.includes("/events")) return false;
      const piece = pieces[Math.min(asked++, pieces.length - 1)];
      response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8" });
      response.end(piece?.(one));
      return true;
    },
  ];
  const { code, out } = await attempt("events", engine.to);
  const lines = out.split("\n").filter((line) => line !== "");
  const states = lines.map((line) => line.split(" ")[1]);
  expect({ code, states, asked }).toEqual(wanted);
});

test.each(["POST", "GET"])(
  "a deployment is over in its time, however long an engine asks to wait at %s",
  async (asking) => {
    const engine = await engineFor("deploy");
    const headers = { "retry-after": "100" };
    const { respond } = said(429, "unavailable", headers);
    engine.faults = [
      ({ method }, response) => {
        if (method === asking) respond(response);
        return method === asking;
      },
    ];
    const { code, text } = await attempt("deploy", engine.to, { timeout: 10 });
    expect(code).toBe("E_DEPLOY_TIMEOUT");
    expect(text).toContain("it is not up after 10 s: the orchestrator asks to wait 100 s");
  },
);

test("an engine that starts again while an app comes up, or a log is followed, is asked again", async () => {
  const engine = await engineFor("deploy");
  /** It is there again when somebody has met that it is not. */
  const told = (text: string) => {
    if (/ECONNREFUSED.*; it is asked again/.test(text)) void engine.revive();
  };
  let looks = 0;
  engine.faults = [
    ({ url }) => {
      const [one] = engine.environments.values();
      if (one === undefined || !url.includes("task_id")) return false;
      looks++;
      if (looks === 2) one.health = { state: "passing", failures: 0 };
      if (looks > 1) return false;
      engine.die();
      return true;
    },
  ];
  const up = await attempt("deploy", engine.to, { wait: true }, told);
  expect(up.text).toContain("nothing listens there (ECONNREFUSED); it is asked again");
  expect(up.code).toBe("done");
  engine.faults = [];
  let pieces = 0;
  engine.exec = ([, , script = ""]) => {
    pieces++;
    if (pieces === 2) engine.die();
    if (pieces === 4) engine.environments.clear();
    expect(script).toContain(pieces === 1 ? "tail -n" : `from=${pieces === 4 ? 9 : 6}`);
    return { exit_code: 0, stdout: pieces === 1 ? "6\nfirst\n" : "9\n\ufffd\n", stderr: "" };
  };
  const followed = await attempt("logs", engine.to, { follow: true }, told);
  expect(followed).toMatchObject({ code: "done", out: "first\n\ufffd\n\ufffd\n" });
});

test("who is refused while the app comes up is told that a machine may be left", async () => {
  const engine = await engineFor("deploy");
  const { respond } = said(401, "unauthorized");
  engine.faults = [
    ({ method }, response) => {
      if (method === "POST" || engine.environments.size === 0) return false;
      respond(response);
      return true;
    },
  ];
  const { code, text } = await attempt("deploy", engine.to, { wait: true });
  expect(code).toBe("E_DEPLOY_TOKEN");
  expect(text).toMatch(/a machine may be left: .*`bundle deploy destroy web` when/);
});

test("a page of figures is read in time, whatever its lines are", () => {
  for (const line of [`a${" ".repeat(1 << 20)}b c d`, `a{${"}".repeat(1 << 20)}`, 'a{b="']) {
    expect(figures(`${line}\nx 1\n`, "")).toEqual([{ name: "x", labels: {}, value: 1 }]);
  }
});

test("a table has as many rows as there are", () => {
  const figure = { name: "x", labels: {}, value: 1 };
  const rows = metricTable(Array.from({ length: 200_000 }, () => figure)).split("\n");
  expect(rows).toHaveLength(200_002);
});

test("an engine without TLS is said to be one where TLS was asked for", async () => {
  const engine = await engineFor("list");
  const { code, text } = await attempt("list", engine.to.replace("fuse:", "https:"));
  expect(code).toBe("E_DEPLOY_UNREACHABLE");
  expect(text).toContain("what answers there speaks no TLS");
  expect(text).not.toContain("openssl");
});

test("a signal while the app comes up leaves no machine", async () => {
  const { to, environments } = await engineFor("deploy");
  const engine = clientOf(to);
  const steps: string[] = [];
  const abort = new AbortController();
  const onStep = (line: string) => {
    steps.push(line);
    if (line === "it was not looked at yet") abort.abort(new Error("enough"));
  };
  const waiting = { ...deployment, wait: true };
  await expect(deploy(engine, waiting, { signal: abort.signal, onStep })).rejects.toThrow("enough");
  expect(steps.slice(-2)).toEqual([
    "it was not looked at yet",
    "what was half made is destroyed: fuse-web",
  ]);
  expect(environments.size).toBe(0);
  await engine.close();
});
