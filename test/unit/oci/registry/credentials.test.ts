/** Where credentials come from, and where they go. */
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { parseRegistryName } from "../../../../builder/oci/reference.ts";
import { parseChallenges } from "../../../../builder/oci/registry/challenge.ts";
import { findCredentials } from "../../../../builder/oci/registry/credentials.ts";
import { openRegistry } from "../../../../builder/oci/registry/source.ts";
import type { Descriptor } from "../../../../builder/oci/store.ts";
import { ImageRegistry } from "../../../support/image-registry.ts";
import { temporaryDirectory } from "../../../support/temporary.ts";

const auth = (user: string, password: string) => ({
  auth: Buffer.from(`${user}:${password}`).toString("base64"),
});

function write(file: string, content: unknown): void {
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, typeof content === "string" ? content : JSON.stringify(content));
}

/** A program `docker-credential-NAME` that answers with what a script prints. */
function helper(dir: string, name: string, script: string): void {
  const file = path.join(dir, `docker-credential-${name}`);
  writeFileSync(file, `#!/bin/sh\nread -r host\n${script}\n`);
  chmodSync(file, 0o755);
}

describe("files and programs", () => {
  let home: string;
  let environment: Record<string, string>;

  beforeEach(() => {
    home = temporaryDirectory();
    environment = { HOME: home, PATH: `${home}/bin:${process.env["PATH"]}` };
    mkdirSync(path.join(home, "bin"));
  });

  const find = (host: string, repository = "team/app") =>
    findCredentials(host, repository, environment);

  test("the first file that knows a registry decides; $REGISTRY_AUTH_FILE stands alone", async () => {
    const docker = path.join(home, ".docker/config.json");
    write(docker, {
      auths: { "a.example": auth("docker", "1"), "b.example": auth("docker", "1") },
    });
    expect(await find("a.example")).toMatchObject({ user: "docker" });
    write(path.join(home, ".config/containers/auth.json"), {
      auths: { "a.example": auth("config", "2") },
    });
    expect(await find("a.example")).toMatchObject({ user: "config" });
    environment["XDG_RUNTIME_DIR"] = path.join(home, "run");
    write(path.join(home, "run/containers/auth.json"), {
      auths: { "a.example": auth("run", "3") },
    });
    expect(await find("a.example")).toMatchObject({ user: "run" });
    expect(await find("b.example")).toMatchObject({ user: "docker" });
    environment["DOCKER_CONFIG"] = path.join(home, "elsewhere");
    expect(await find("b.example")).toBeUndefined();
    environment["REGISTRY_AUTH_FILE"] = path.join(home, "only.json");
    expect(await find("a.example")).toBeUndefined();
    write(path.join(home, "only.json"), { auths: { "a.example": auth("only", "4:with colon") } });
    expect(await find("a.example")).toMatchObject({ user: "only", password: "4:with colon" });
  });

  test("the entry for a part of a registry goes before that for all of it", async () => {
    const auths = {
      "a.example": auth("all", "1"),
      "a.example/team": auth("team", "1"),
      "a.example/team/app": auth("app", "1"),
      "https://old.example/v1/": auth("old", "1"),
      "https://index.docker.io/v1/": auth("hub", "1"),
    };
    write(path.join(home, ".docker/config.json"), { auths });
    expect(await find("a.example", "team/app")).toMatchObject({ user: "app" });
    expect(await find("a.example", "team/other")).toMatchObject({ user: "team" });
    expect(await find("a.example", "teams/app")).toMatchObject({ user: "all" });
    expect(await find("old.example")).toMatchObject({ user: "old" });
    expect(await find("docker.io", "library/nginx")).toMatchObject({ user: "hub" });
    expect(await find("example")).toBeUndefined();
  });

  test("a program is asked for the registry that it is named for, or for all", async () => {
    helper(
      path.join(home, "bin"),
      "one",
      `echo "{\\"Username\\":\\"$1-$host\\",\\"Secret\\":\\"s\\"}"`,
    );
    helper(path.join(home, "bin"), "none", "echo credentials not found in native keychain; exit 1");
    helper(path.join(home, "bin"), "token", `echo '{"Username":"<token>","Secret":"refresh"}'`);
    const config = path.join(home, ".docker/config.json");
    const auths = { "b.example": auth("file", "1") };
    write(config, {
      credHelpers: { "a.example": "one", "c.example": "token" },
      credsStore: "none",
      auths,
    });
    expect(await find("a.example")).toMatchObject({ user: "get-a.example", password: "s" });
    expect(await find("b.example")).toMatchObject({ user: "file" });
    expect(await find("c.example")).toMatchObject({ kind: "identity", token: "refresh" });
    write(config, { credsStore: "one" });
    expect(await find("docker.io")).toMatchObject({ user: "get-https://index.docker.io/v1/" });
  });

  test.each([
    ["no JSON", "{", /no JSON/],
    ["a list", "[]", /no JSON object/],
    ["a number as auth", { auths: { "a.example": { auth: 5 } } }, /auth is no text/],
    ["no colon", { auths: { "a.example": { auth: "YWJj" } } }, /not base64 of USER:PASSWORD/],
    ["a path as helper", { credHelpers: { "a.example": "../x" } }, /names no credential helper/],
    ["a missing helper", { credHelpers: { "a.example": "gone" } }, /does not exist/],
    ["one that fails", { credHelpers: { "a.example": "bad" } }, /ends with status 3: no keyring/],
    ["one that talks", { credHelpers: { "a.example": "talks" } }, /not JSON with Username/],
  ])("%s is refused in words, without the secret", async (_, content, words) => {
    helper(path.join(home, "bin"), "bad", "echo no keyring >&2; exit 3");
    helper(path.join(home, "bin"), "talks", "echo secret-word");
    write(path.join(home, ".docker/config.json"), content);
    const failure = await find("a.example").catch((cause: Error) => cause);
    expect(failure).toMatchObject({ code: "E_REGISTRY_CREDENTIALS" });
    expect((failure as Error).message).toMatch(words);
    expect((failure as Error).message).not.toContain("secret-word");
  });
});

test("challenges are read as RFC 9110 writes them", () => {
  const read = (header: string) =>
    parseChallenges(header).map(({ scheme, parameters }) => [
      scheme,
      Object.fromEntries(parameters),
    ]);
  expect(read('Bearer realm="https://a/t",service="a, b",scope="x:y:pull,push"')).toEqual([
    ["bearer", { realm: "https://a/t", service: "a, b", scope: "x:y:pull,push" }],
  ]);
  expect(read('Basic realm="say \\"x\\"", Bearer realm=plain , error=e')).toEqual([
    ["basic", { realm: 'say "x"' }],
    ["bearer", { realm: "plain", error: "e" }],
  ]);
  expect(read("Negotiate, BASIC")).toEqual([
    ["negotiate", {}],
    ["basic", {}],
  ]);
  for (const header of ["", '"', "=", 'Bearer realm="open', "Bearer realm=a b=c d="]) {
    expect(Array.isArray(read(header))).toBe(true);
  }
});

describe("at a registry", () => {
  let registry: ImageRegistry;
  let other: ImageRegistry;
  let authFile: string;
  const before = process.env["REGISTRY_AUTH_FILE"];

  beforeEach(async () => {
    registry = await new ImageRegistry().start();
    other = await new ImageRegistry().start();
    authFile = path.join(temporaryDirectory(), "auth.json");
    process.env["REGISTRY_AUTH_FILE"] = authFile;
  });

  afterEach(async () => {
    if (before === undefined) delete process.env["REGISTRY_AUTH_FILE"];
    else process.env["REGISTRY_AUTH_FILE"] = before;
    await registry.close();
    await other.close();
  });

  const logIn = (entry: object) => write(authFile, { auths: { [registry.host]: entry } });

  async function pull<T>(use: (source: ReturnType<typeof openRegistry>) => Promise<T>): Promise<T> {
    const reference = parseRegistryName(`${registry.host}/team/app`);
    if (reference === undefined) throw new Error("this is no name");
    const source = openRegistry(reference, { cache: false, patience: 3000 });
    return use(source).finally(() => source.close());
  }

  /** Wants an Authorization of a certain kind for all below /v2/. */
  function want(value: string, challenge: string): void {
    registry.tricks.push(({ url = "", headers }, response) => {
      if (!url.startsWith("/v2/") || headers.authorization === value) return false;
      response.writeHead(401, { "www-authenticate": challenge }).end();
      return true;
    });
  }

  /** Gives tokens; what was asked is noted. */
  function tokens(answer: object): { url: string; body: string; authorization?: string }[] {
    const asked: { url: string; body: string; authorization?: string }[] = [];
    other.tricks.push((request, response) => {
      let body = "";
      request.on("data", (chunk) => {
        body += chunk;
      });
      request.on("end", () => {
        const { authorization } = request.headers;
        asked.push({ url: request.url ?? "", body, ...(authorization && { authorization }) });
        response.end(JSON.stringify(answer));
      });
      return true;
    });
    return asked;
  }

  const basic = `Basic ${Buffer.from("me:secret").toString("base64")}`;

  test("a password is sent when it is asked for, and not before", async () => {
    const { root } = registry.putImage("latest", Buffer.from("layer"));
    want(basic, 'Basic realm="here"');
    logIn(auth("me", "secret"));
    expect(await pull((source) => source.root())).toMatchObject(root);
    expect(registry.asked.map(({ headers }) => headers.authorization)).toEqual([undefined, basic]);
  });

  test("a token is got with the password, for this repository alone, and used for all of it", async () => {
    const { root, layers } = registry.putImage("latest", Buffer.from("layer"));
    want(
      "Bearer abc",
      `Bearer realm="http://${other.host}/token",service="s",scope="repository:x:*"`,
    );
    logIn(auth("me", "secret"));
    const asked = tokens({ token: "abc" });
    await pull(async (source) => {
      expect(await source.root()).toMatchObject(root);
      await source.file(layers[0] as Descriptor);
    });
    const query = "service=s&scope=repository%3Ateam%2Fapp%3Apull&account=me";
    expect(asked).toEqual([{ url: `/token?${query}`, body: "", authorization: basic }]);
  });

  test("an identity token is exchanged by POST; without credentials a token is asked for all the same", async () => {
    registry.putImage("latest", Buffer.from("layer"));
    want("Bearer abc", `Bearer realm="http://${other.host}/token",service="s"`);
    const asked = tokens({ access_token: "abc" });
    await pull((source) => source.root());
    logIn({ identitytoken: "refresh" });
    await pull((source) => source.root());
    expect(asked[0]).toEqual({
      url: "/token?service=s&scope=repository%3Ateam%2Fapp%3Apull",
      body: "",
    });
    expect(Object.fromEntries(new URLSearchParams(asked[1]?.body))).toMatchObject({
      grant_type: "refresh_token",
      refresh_token: "refresh",
      service: "s",
    });
    expect(asked[1]?.authorization).toBeUndefined();
  });

  test("what is for the registry does not go where it leads to, nor back from there", async () => {
    const { layers } = registry.putImage("latest", Buffer.from("layer"));
    want(basic, "Basic");
    logIn(auth("me", "secret"));
    registry.tricks.push(({ url = "", headers }, response) => {
      if (!url.includes("/blobs/") || headers["user-agent"] === undefined) return false;
      response.writeHead(307, { location: `http://${other.host}/elsewhere` }).end();
      return true;
    });
    other.tricks.push((_, response) => {
      response.writeHead(307, { location: `http://${registry.host}/home` }).end();
      return true;
    });
    registry.tricks.unshift(({ url }, response) => {
      if (url !== "/home") return false;
      response.end("layer");
      return true;
    });
    await pull((source) => source.file(layers[0] as Descriptor));
    const home = registry.asked.find(({ url }) => url === "/home");
    expect([...other.asked, home].map((one) => one?.headers.authorization)).toEqual([
      undefined,
      undefined,
    ]);
  });

  test.each([
    ["file:///etc/passwd", "E_REGISTRY_ANSWER"],
    ["http://tokens.example/t", "E_REGISTRY_INSECURE"],
    ["", "E_REGISTRY_ANSWER"],
    ["http://x:y@127.0.0.1:1/t", "E_REGISTRY_ANSWER"],
  ])("tokens of %j are not asked for", async (realm, code) => {
    want("Bearer abc", `Bearer realm="${realm}"`);
    logIn(auth("me", "secret"));
    await expect(pull((source) => source.root())).rejects.toThrow(
      expect.objectContaining({ code }),
    );
  });

  test.each([
    [{}, /no token/],
    [{ token: "two\nlines" }, /no token/],
    [{ token: 5 }, /no token/],
    [{ token: "x".repeat(2 << 20) }, /too long/],
  ])("an answer that is no token is refused (%#)", async (answer, words) => {
    want("Bearer abc", `Bearer realm="http://${other.host}/token"`);
    tokens(answer);
    await expect(pull((source) => source.root())).rejects.toThrow(words);
  });

  test("a wrong password, none, and a token that does not help are said so, with where it came from", async () => {
    want(basic, "Basic");
    const refusal = () => pull((source) => source.root()).catch((cause: Error) => cause);
    expect(await refusal()).toMatchObject({
      code: "E_REGISTRY_AUTH",
      message: expect.stringContaining("without credentials"),
      hint: expect.stringContaining(authFile),
    });
    logIn(auth("me", "wrong-word"));
    const failure = (await refusal()) as Error;
    expect(failure).toMatchObject({ code: "E_REGISTRY_AUTH" });
    expect(failure.message).toContain(`those of ${authFile}`);
    expect(failure.message).not.toContain("wrong-word");
    registry.tricks.splice(0);
    want("Bearer never", `Bearer realm="http://${other.host}/token"`);
    tokens({ token: "abc" });
    expect(await refusal()).toMatchObject({ code: "E_REGISTRY_AUTH" });
  });

  test("a registry that asks for what nobody knows", async () => {
    want("x", "Negotiate");
    await expect(pull((source) => source.root())).rejects.toThrow(/does not say what it wants/);
  });
});
