/** What registries.conf says of registries. */
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { parseRegistryName } from "../../../../builder/oci/reference.ts";
import { parseMirror } from "../../../../builder/oci/registry/endpoint.ts";
import {
  configuredEndpoints,
  ownEndpoint,
  rulesIn,
} from "../../../../builder/oci/registry/registries-conf.ts";
import { temporaryDirectory } from "../../../support/temporary.ts";

const DIGEST = `sha256:${"0".repeat(64)}`;

let home: string;
let environment: Record<string, string>;

beforeEach(() => {
  home = temporaryDirectory();
  environment = { HOME: home };
});

function write(name: string, text: string): string {
  const file = path.join(home, ".config/containers", name);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, text);
  return file;
}

function named(name: string) {
  const reference = parseRegistryName(name);
  if (reference === undefined) throw new Error(`${name} is no name`);
  return reference;
}

/** Host, repository, and what is special. */
const asked = (name: string, mirrors: string[] = []) =>
  configuredEndpoints(named(name), mirrors.map(parseMirror), false, environment).map(
    ({ host, repository, isMirror, mayBePlain }) =>
      `${host} ${repository}${isMirror ? " mirror" : ""}${mayBePlain ? " plain" : ""}`,
  );

describe("who is asked", () => {
  test("mirrors in their order, behind those of the options, and what takes the place of a prefix", () => {
    write(
      "registries.conf",
      `unqualified-search-registries = ["quay.example"]
       [[registry]]
       prefix = "docker.io/library"
       location = "own.example/hub"
       [[registry.mirror]]
       location = "first.example:5000/a/b"
       [[registry.mirror]]
       location = "second.example"
       insecure = true`,
    );
    expect(asked("nginx", ["docker.io=given.example"])).toEqual([
      "given.example library/nginx mirror",
      "first.example:5000 a/b/nginx mirror",
      "second.example nginx mirror plain",
      "own.example hub/nginx",
    ]);
    expect(asked("team/nginx")).toEqual(["registry-1.docker.io team/nginx"]);
  });

  test("mirrors for digests, or for tags, alone", () => {
    write(
      "registries.conf",
      `[[registry]]
       location = "a.example"
       mirror = [
         { location = "digest.example", pull-from-mirror = "digest-only" },
         { location = "tag.example", pull-from-mirror = "tag-only" },
         { location = "all.example", pull-from-mirror = "all" },
       ]
       [[registry]]
       location = "b.example"
       mirror-by-digest-only = true
       [[registry.mirror]]
       location = "digest.example"`,
    );
    expect(asked("a.example/x:1")).toEqual([
      ...["tag.example x mirror", "all.example x mirror", "a.example x"],
    ]);
    expect(asked(`a.example/x@${DIGEST}`)).toEqual([
      ...["digest.example x mirror", "all.example x mirror", "a.example x"],
    ]);
    expect(asked("b.example/x")).toEqual(["b.example x"]);
    expect(asked(`b.example/x@${DIGEST}`)).toEqual(["digest.example x mirror", "b.example x"]);
  });

  test.each([
    ["a.example/team/app", "team app"],
    ["a.example/team", "team "],
    ["a.example/teams/app", "all teams/app"],
    ["a.example:80/team/app", "a.example:80 team/app"],
    ["x.a.example/team/app", "wild team/app"],
    ["xa.example/team/app", "xa.example team/app"],
  ])("of %s the longest prefix decides", (name, expected) => {
    write(
      "registries.conf",
      ["a.example", "a.example/team", "*.a.example"]
        .map((prefix, i) => {
          const to = ["all.example", "team.example/t", "wild.example"][i];
          return `[[registry]]\nprefix = "${prefix}"\nlocation = "${to}"`;
        })
        .join("\n"),
    );
    const [one = ""] = asked(name);
    const shown = one.replace("team.example t", "team ").replace("team /", "team ");
    expect(shown.replace(/^(all|wild)\.example/, "$1")).toBe(expected);
  });

  test("a file of the user's stands alone, those of its folder add to it or correct it", () => {
    write("registries.conf", '[[registry]]\nlocation = "a.example"\nblocked = true');
    write("registries.conf.d/10.conf", '[[registry]]\nlocation = "a.example"\ninsecure = true');
    write("registries.conf.d/20.conf", '[[registry]]\nlocation = "b.example"\nblocked = true');
    write("registries.conf.d/none", "no TOML");
    expect(asked("a.example/x")).toEqual(["a.example x plain"]);
    expect(() => asked("b.example/x")).toThrow(/20\.conf blocks what begins with "b\.example"/);
    environment["CONTAINERS_REGISTRIES_CONF"] = path.join(home, "gone.conf");
    expect(() => asked("a.example/x")).toThrow(
      expect.objectContaining({ code: "E_REGISTRY_CONFIG", path: path.join(home, "gone.conf") }),
    );
  });

  test("one that is blocked is not asked in any way", () => {
    write(
      "registries.conf",
      `[[registry]]
       prefix = "a.example/secret"
       blocked = true
       [[registry.mirror]]
       location = "mirror.example"
       [[registry]]
       prefix = "a.example/app:old"
       blocked = true`,
    );
    const blocked = expect.objectContaining({ code: "E_REGISTRY_BLOCKED" });
    expect(() => asked("a.example/secret/x", ["a.example=m.example"])).toThrow(blocked);
    expect(() => asked("a.example/app:old")).toThrow(blocked);
    expect(() => ownEndpoint(named("a.example/secret"), false, environment)).toThrow(blocked);
    expect(asked("a.example/app:new")).toEqual(["a.example app"]);
    expect(asked("a.example/secrets")).toEqual(["a.example secrets"]);
  });
});

test.each([
  ["a =", /no TOML/],
  ['[registries.search]\nregistries = ["a.example"]', /version 1/],
  ["registry = 1", /registry is not what it can be/],
  ["[[registry]]\nblocked = true", /no prefix or location/],
  ['[[registry]]\nprefix = "*"', /no prefix or location/],
  ['[[registry]]\nprefix = "a.*.example"', /no prefix or location/],
  ['[[registry]]\nlocation = "a.example"\nblocked = "yes"', /blocked is not what it can be/],
  ["[[registry]]\nlocation = 1979-05-27", /location is not what it can be/],
  ['[[registry]]\nlocation = "a.example"\n[[registry.mirror]]', /location is not what it can be/],
  [
    '[[registry]]\nlocation = "a.example"\nmirror = [{location = "m.example", pull-from-mirror = "x"}]',
    /pull-from-mirror is not what it can be/,
  ],
])("%j is refused", (text, words) => {
  const refuse = () => rulesIn(text, "/etc/containers/registries.conf");
  expect(refuse).toThrow(words);
  expect(refuse).toThrow(expect.objectContaining({ code: "E_REGISTRY_CONFIG" }));
});

test.each(["hub", "UPPER.example/X", "m.example/a b", "m.example/x@sha256:0"])(
  "nothing is at %j",
  (location) => {
    write("registries.conf", `[[registry]]\nprefix = "a.example"\nlocation = "${location}"`);
    expect(() => asked("a.example/x")).toThrow(/has no name at/);
  },
);
