/**
 * An orchestrator as Fuse's description has it, in memory, with faults that a test asks for; and Prism, which
 * holds what both sides say against that description.
 */
import { readFileSync } from "node:fs";
import http, { type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { getHttpOperationsFromSpec } from "@stoplight/prism-http";
import { createServer } from "@stoplight/prism-http-server";
import { afterEach } from "vitest";
import { parse } from "yaml";
import type { components } from "../../builder/generated/fuse-api.ts";
import { bundleCommand, type Outcome, type RunOptions, root, run } from "./process.ts";

type Schemas = components["schemas"];
type Environment = Schemas["Environment"];

export const TOKEN = "master-token-of-the-tests";

const closers: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

/** What came in, with its body read. */
interface Asked {
  method: string;
  /** With its query. */
  url: string;
  headers: http.IncomingHttpHeaders;
  body: string;
}

/** Answers in place of the engine, where it returns true. */
export type Fault = (asked: Asked, response: ServerResponse) => boolean | Promise<boolean>;

export interface FuseEngine {
  /** For --to. */
  to: string;
  port: number;
  /** All that was asked. */
  asked: Asked[];
  environments: Map<string, Environment>;
  /** Bodies of creations. */
  created: Schemas["CreateEnvironmentRequest"][];
  /** Looked at in turn before a request is answered. */
  faults: Fault[];
  /** What a command in a machine gives. */
  exec: (cmd: readonly string[]) => Schemas["ExecEnvironmentResponse"];
  /** Streams of events that are open. */
  streams: Set<ServerResponse>;
  /** Ends all at once, as a process does that dies. */
  die(): void;
  /** Begins to listen again, at the same port. */
  revive(): Promise<void>;
}

const errorBody = (code: string, message: string) => JSON.stringify({ error: { code, message } });

export function answer(response: ServerResponse, status: number, body?: string, headers = {}) {
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(body);
}

/** Requests of a method and a path answered so, `times` times. */
export function refuses(
  method: string,
  pattern: RegExp,
  status: number,
  { code = "internal", message = "as the test wants it", headers = {}, times = Infinity } = {},
): Fault {
  let left = times;
  return (asked, response) => {
    if (asked.method !== method || !pattern.test(asked.url) || left-- <= 0) return false;
    answer(response, status, errorBody(code, message), headers);
    return true;
  };
}

export const event = (one: Environment, id: string, state: string = one.state) =>
  `id: ${id}\ndata: ${JSON.stringify({ id, event: "state", vm_id: one.id, state, updated_at: one.updated_at })}\n\n`;

const now = () => new Date().toISOString();

export async function startEngine(): Promise<FuseEngine> {
  const sockets = new Set<import("node:net").Socket>();
  const server = http.createServer(async (request, response) => {
    const asked = await read(request);
    engine.asked.push(asked);
    for (const fault of engine.faults) if (await fault(asked, response)) return;
    respond(engine, asked, response);
  });
  // No connection is lost to a machine that is busy.
  server.keepAliveTimeout = 60_000;
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  const listen = (port: number) =>
    new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  await listen(0);
  const { port } = server.address() as AddressInfo;
  const engine: FuseEngine = {
    to: `fuse://127.0.0.1:${port}`,
    port,
    asked: [],
    environments: new Map(),
    created: [],
    faults: [],
    exec: () => ({ exit_code: 0, stdout: "", stderr: "" }),
    streams: new Set(),
    die() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
    revive: () => listen(port),
  };
  closers.push(() => engine.die());
  return engine;
}

async function read(request: IncomingMessage): Promise<Asked> {
  let body = "";
  for await (const chunk of request.setEncoding("utf8")) body += chunk;
  const { method = "", url = "", headers } = request;
  return { method, url, headers, body };
}

function respond(engine: FuseEngine, asked: Asked, response: ServerResponse): unknown {
  const { method, headers, body } = asked;
  const url = new URL(asked.url, "http://engine");
  if (url.pathname === "/metrics") {
    const text = readFileSync(path.join(root, "test/deploy/metrics.txt"));
    return response.writeHead(200, { "content-type": "text/plain; version=0.0.4" }).end(text);
  }
  if (headers.authorization !== `Bearer ${TOKEN}`) {
    return answer(response, 401, errorBody("unauthorized", "missing or malformed credentials"));
  }
  const [, , kind = "", id = "", part = ""] = url.pathname.split("/");
  const action = url.searchParams.get("action");
  if (kind === "snapshots") return snapshots(engine, method, id, response);
  if (kind !== "environments") {
    return answer(response, 404, errorBody("route_not_found", `no such route: ${url.pathname}`));
  }
  if (id === "" && method === "GET") {
    const task = url.searchParams.get("task_id");
    const all = [...engine.environments.values()];
    const environments = all.filter((one) => task === null || one.task_id === task);
    return answer(response, 200, JSON.stringify({ environments }));
  }
  if (id === "" && method === "POST") {
    const wanted = JSON.parse(body) as Schemas["CreateEnvironmentRequest"];
    engine.created.push(wanted);
    return answer(response, 201, JSON.stringify(makeEnvironment(engine, wanted)));
  }
  const one = engine.environments.get(id);
  if (one === undefined) return answer(response, 404, errorBody("not_found", `vm ${id} not found`));
  if (method === "DELETE") {
    engine.environments.delete(id);
    return response.writeHead(204).end();
  }
  if (part === "events") return stream(engine, one, response);
  if (part === "snapshots") {
    return answer(response, 201, JSON.stringify(snapshotOf(one, JSON.parse(body || "{}").comment)));
  }
  if (action === "exec") {
    return answer(response, 200, JSON.stringify(engine.exec(JSON.parse(body).cmd)));
  }
  if (action === "fork") {
    const fork = { ...one, id: `${one.id}-fork`, task_id: `${one.task_id}-fork` };
    engine.environments.set(fork.id, fork);
    return answer(response, 201, JSON.stringify(fork));
  }
  if (action === "drain") one.state = "draining";
  return answer(response, 200, JSON.stringify(one));
}

export function makeEnvironment(
  engine: FuseEngine,
  { task_id: task, spec, expose = [] }: Schemas["CreateEnvironmentRequest"],
): Environment {
  const one: Environment = {
    id: `fuse-${task}`,
    state: "running",
    task_id: task,
    host_id: "host-1",
    url: "203.0.113.5:19650",
    spec,
    created_at: now(),
    updated_at: now(),
    endpoints: expose.map(({ as = "", port }) => ({ as, port, url: `http://203.0.113.5:${port}` })),
  };
  engine.environments.set(one.id, one);
  return one;
}

const snapshotOf = (one: Environment, comment = ""): Schemas["Snapshot"] => ({
  id: "snap-1",
  vm_id: one.id,
  task_id: one.task_id,
  state: "ready",
  comment,
  size_bytes: 4096,
  created_at: now(),
});

function snapshots(engine: FuseEngine, method: string, id: string, response: ServerResponse) {
  const [one] = engine.environments.values();
  if (method === "GET" && one !== undefined) {
    return answer(response, 200, JSON.stringify({ snapshots: [snapshotOf(one)] }));
  }
  if (id === "snap-1") return response.writeHead(204).end();
  return answer(response, 404, errorBody("not_found", `snapshot ${id} not found`));
}

function stream(engine: FuseEngine, one: Environment, response: ServerResponse): void {
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" });
  response.write(event(one, "0".repeat(32)));
  engine.streams.add(response);
  response.on("close", () => engine.streams.delete(response));
}

/**
 * The body of an action is one of two schemas of which each takes any object, so none is valid: what was
 * meant is either of them.
 */
function mended(description: Description): object {
  const content = description.paths["/v1/environments/{vmId}"]?.post.requestBody.content;
  const schema = content?.["application/json"].schema;
  if (schema?.oneOf === undefined) throw new Error("the description has no such flaw any more");
  schema.anyOf = schema.oneOf;
  delete schema.oneOf;
  return description;
}

interface Description {
  paths: Record<
    string,
    {
      post: {
        requestBody: {
          content: { "application/json": { schema: { oneOf?: unknown[]; anyOf?: unknown[] } } };
        };
      };
    }
  >;
}

/** Prism never says more than what was wrong. */
const silent = {
  ...console,
  success() {},
  fatal() {},
  trace() {},
  info() {},
  warn() {},
  debug() {},
};

/**
 * Prism between us and an engine: a request that the description does not allow is answered with 422, an
 * answer with 500, and what was wrong.
 *
 * @returns for --to
 */
export async function validating(engine: FuseEngine): Promise<string> {
  const file = path.join(root, "scripts/spec/fuse/openapi.yaml");
  const operations = await getHttpOperationsFromSpec(mended(parse(readFileSync(file, "utf8"))));
  const logger = { ...silent, child: () => logger } as never;
  const server = createServer(operations, {
    components: { logger },
    cors: false,
    config: {
      isProxy: true,
      upstream: new URL(`http://127.0.0.1:${engine.port}`),
      checkSecurity: true,
      validateRequest: true,
      validateResponse: true,
      errors: true,
      mock: false as never,
      upstreamProxy: undefined,
    },
  });
  const address = await server.listen(0, "127.0.0.1");
  closers.push(() => server.close());
  return address.replace("http:", "fuse:");
}

/** `bundle deploy`, by the built program. */
export function deploy(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const env = {
    FUSE_TOKEN: TOKEN,
    XDG_CONFIG_HOME: "/nonexistent",
    // Node warns of one that is being replaced just now.
    NODE_EXTRA_CA_CERTS: undefined,
    ...options.env,
  };
  return run(process.execPath, [bundleCommand, "deploy", ...args], { ...options, env });
}
