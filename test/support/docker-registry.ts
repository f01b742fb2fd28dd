/** Debian's docker-registry: a real registry on a port of this machine, with TLS, passwords or tokens. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { createHash, createPrivateKey, createPublicKey, randomUUID, sign } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import http from "node:http";
import net from "node:net";
import path from "node:path";
import { afterAll } from "vitest";
import { temporaryDirectory } from "./temporary.ts";

/** `htpasswd -nbB me secret` */
const HTPASSWD = "me:$2y$05$SN6ZAh1zkRoz7psx43AWH.ostlZ2Afl9UP1ydHMs4X0z/ZDO9Saiu";
export const USER = "me";
export const PASSWORD = "secret";

export interface DockerRegistry {
  /** "localhost:PORT" */
  host: string;
  /** Of the authority that signed its certificate; "" without TLS. */
  ca: string;
  /** What tokens were asked for: scopes, and whether with the password. */
  tokens: { scopes: string[]; isUser: boolean }[];
  /** Ends it; what was pushed stays until the tests end. */
  stop(): Promise<void>;
}

export interface RegistryChoices {
  tls?: boolean;
  auth?: "password" | "token";
}

const running = new Set<ChildProcess>();
const servers = new Set<http.Server>();
afterAll(() => {
  for (const child of running) child.kill("SIGKILL");
  for (const server of servers) server.close();
});

export async function startDockerRegistry({
  tls,
  auth,
}: RegistryChoices = {}): Promise<DockerRegistry> {
  const dir = temporaryDirectory();
  const certificates = tls ? makeCertificates(dir) : undefined;
  const tokens: DockerRegistry["tokens"] = [];
  const config = {
    version: 0.1,
    log: { level: "info", accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: path.join(dir, "data") } },
    http: {
      addr: "127.0.0.1:0",
      secret: "for tests",
      ...(certificates && { tls: { certificate: certificates.server, key: certificates.key } }),
    },
    ...(auth === "password" && { auth: { htpasswd: htpasswd(dir) } }),
    ...(auth === "token" && { auth: { token: await tokenServer(dir, tokens) } }),
  };
  // JSON is YAML.
  writeFileSync(path.join(dir, "config.yml"), JSON.stringify(config));
  const child = spawn("docker-registry", ["serve", path.join(dir, "config.yml")], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  running.add(child);
  const port = await listening(child);
  return {
    host: `localhost:${port}`,
    ca: certificates?.ca ?? "",
    tokens,
    stop: () =>
      new Promise((resolve) => {
        child.once("exit", () => resolve());
        child.kill("SIGKILL");
        running.delete(child);
      }),
  };
}

/** It says where it listens. */
function listening(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    child.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
      const [, port] = /listening on 127\.0\.0\.1:(\d+)/.exec(text) ?? [];
      if (port !== undefined) resolve(port);
    });
    child.once("exit", () => reject(new Error(`docker-registry: ${text}`)));
  });
}

function htpasswd(dir: string) {
  writeFileSync(path.join(dir, "htpasswd"), `${HTPASSWD}\n`);
  return { realm: "tests", path: path.join(dir, "htpasswd") };
}

/** An authority, and a certificate of it for this machine. */
function makeCertificates(dir: string): { ca: string; server: string; key: string } {
  const openssl = (...args: string[]) => execFileSync("openssl", args, { cwd: dir, stdio: "pipe" });
  const made = (name: string) => path.join(dir, name);
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  openssl(
    "req",
    "-x509",
    ...curve,
    "-keyout",
    "ca.key",
    "-out",
    "ca.crt",
    "-subj",
    "/CN=tests",
    "-days",
    "2",
  );
  openssl("req", ...curve, "-keyout", "key.pem", "-out", "server.csr", "-subj", "/CN=localhost");
  writeFileSync(made("names"), "subjectAltName=DNS:localhost,DNS:registry.invalid,IP:127.0.0.1");
  const signed = ["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2"];
  openssl(
    "x509",
    "-req",
    "-in",
    "server.csr",
    ...signed,
    "-extfile",
    "names",
    "-out",
    "server.crt",
  );
  return { ca: made("ca.crt"), server: made("server.crt"), key: made("key.pem") };
}

/** Gives tokens that docker-registry believes: for reading to anyone, for writing to the user. */
async function tokenServer(dir: string, asked: DockerRegistry["tokens"]) {
  execFileSync(
    "openssl",
    [
      "req",
      "-x509",
      "-newkey",
      "rsa:2048",
      "-nodes",
      "-keyout",
      "token.key",
      "-out",
      "token.crt",
      "-subj",
      "/CN=tokens",
      "-days",
      "2",
    ],
    { cwd: dir, stdio: "pipe" },
  );
  const key = createPrivateKey(readFileSync(path.join(dir, "token.key")));
  const [issuer, service] = ["tests", "registry"];
  const wanted = `Basic ${Buffer.from(`${USER}:${PASSWORD}`).toString("base64")}`;
  const server = http.createServer((request, response) => {
    const { searchParams } = new URL(request.url ?? "", "http://tests");
    const { authorization } = request.headers;
    const scopes = searchParams.getAll("scope");
    if (authorization !== undefined && authorization !== wanted) {
      response.writeHead(401).end();
      return;
    }
    const isUser = authorization === wanted;
    asked.push({ scopes, isUser });
    const access = scopes.map((scope) => {
      const [type, name, actions = ""] = scope.split(":");
      return { type, name, actions: actions.split(",").filter((one) => isUser || one === "pull") };
    });
    const now = Math.floor(Date.now() / 1000);
    const claims = {
      iss: issuer,
      sub: "",
      aud: service,
      exp: now + 300,
      nbf: now - 10,
      iat: now,
      jti: randomUUID(),
      access,
    };
    const head = { typ: "JWT", alg: "RS256", kid: keyId(key) };
    const text = [head, claims]
      .map((one) => Buffer.from(JSON.stringify(one)).toString("base64url"))
      .join(".");
    const token = `${text}.${sign("sha256", Buffer.from(text), key).toString("base64url")}`;
    response.end(JSON.stringify({ token, expires_in: 300 }));
  });
  servers.add(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  server.unref();
  const address = server.address();
  const port = typeof address === "object" ? address?.port : "";
  return {
    realm: `http://127.0.0.1:${port}/token`,
    service,
    issuer,
    rootcertbundle: path.join(dir, "token.crt"),
  };
}

/** As libtrust names keys: 30 bytes of a digest in base32, in groups of four. */
function keyId(key: ReturnType<typeof createPrivateKey>): string {
  const der = createPublicKey(key).export({ type: "spki", format: "der" });
  const bits = [...createHash("sha256").update(der).digest().subarray(0, 30)]
    .map((byte) => byte.toString(2).padStart(8, "0"))
    .join("");
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  const text = (bits.match(/.{5}/g) ?? [])
    .map((five) => letters[Number.parseInt(five, 2)])
    .join("");
  return (text.match(/.{4}/g) ?? []).join(":");
}

/** A proxy for HTTPS that leads every name to one place, and says which were asked for. */
export async function startProxy(to: string) {
  const asked: string[] = [];
  const server = http.createServer();
  server.on("connect", (request, socket, head) => {
    asked.push(request.url ?? "");
    const onward = net.connect(Number(to.split(":")[1]), "127.0.0.1", () => {
      socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
      onward.write(head);
      onward.pipe(socket).pipe(onward);
    });
    onward.on("error", () => socket.destroy());
    socket.on("error", () => onward.destroy());
  });
  servers.add(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return {
    url: `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`,
    asked,
    close: () => new Promise((resolve) => server.close(resolve)),
  };
}

/** Leads to a registry, and cuts the first so many connections after some bytes of answers. */
export async function startCutter(to: string, after: number, times: number) {
  let left = times;
  const server = net.createServer((socket) => {
    const onward = net.connect(Number(to.split(":")[1]), "127.0.0.1");
    let bytes = 0;
    onward.on("data", (chunk) => {
      bytes += chunk.length;
      if (bytes > after && left > 0) {
        left--;
        socket.destroy();
        onward.destroy();
      } else socket.write(chunk);
    });
    onward.on("close", () => socket.destroy());
    socket.on("data", (chunk) => onward.write(chunk));
    socket.on("close", () => onward.destroy());
    for (const one of [socket, onward]) one.on("error", () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  server.unref();
  const address = server.address();
  return {
    host: `localhost:${typeof address === "object" ? address?.port : ""}`,
    /** Cuts that are still to come. */
    left: () => left,
    close: () => server.close(),
  };
}
