/** Who is asked for an image, and who may be without encryption. */
import { expect, test } from "vitest";
import { parseRegistryName } from "../../../../builder/oci/reference.ts";
import { endpointsFor, parseMirror } from "../../../../builder/oci/registry/endpoint.ts";

function endpoints(name: string, mirrors: string[] = [], insecure = false) {
  const reference = parseRegistryName(name);
  if (reference === undefined) throw new Error(`${name} is no name`);
  return endpointsFor(reference, mirrors.map(parseMirror), insecure);
}

const shown = (name: string, ...mirrors: string[]) =>
  endpoints(name, mirrors).map(({ host, credentialHost, repository }) =>
    [host, credentialHost, repository].join(" "),
  );

test("Docker's registry has a host of its own for the API", () => {
  expect(shown("nginx")).toEqual(["registry-1.docker.io docker.io library/nginx"]);
  expect(shown("localhost:5000/a/b")).toEqual(["localhost:5000 localhost:5000 a/b"]);
});

test("mirrors of a registry go before it, in their order, with the start of their paths", () => {
  expect(
    shown(
      "nginx",
      "docker.io=a.example",
      "quay.io=b.example",
      "index.docker.io=c.example:81/hub/x",
    ),
  ).toEqual([
    "a.example a.example library/nginx",
    "c.example:81 c.example:81 hub/x/library/nginx",
    "registry-1.docker.io docker.io library/nginx",
  ]);
  expect(shown("quay.io/a/b", "quay.io=https://b.example/")).toEqual([
    "b.example b.example a/b",
    "quay.io quay.io a/b",
  ]);
});

test.each([
  ["localhost:5000/a", true],
  ["127.1.2.3/a", true],
  ["[::1]:5000/a", true],
  ["localhost.example/a", false],
  ["127.0.0.1.example/a", false],
  ["registry.example/a", false],
])("%s may be without encryption: %s", (name, may) => {
  expect(endpoints(name).map(({ mayBePlain }) => mayBePlain)).toEqual([may]);
  expect(endpoints(name, [], true).map(({ mayBePlain }) => mayBePlain)).toEqual([true]);
});

test("from an encrypted place nothing leads to one that is not", () => {
  const secure = new URL("https://localhost:5000/v2/");
  const plain = new URL("http://localhost:5000/v2/");
  for (const insecure of [false, true]) {
    const [one] = endpoints("localhost:5000/a", [], insecure);
    expect(one?.allowsPlain("127.0.0.1:80", secure)).toBe(false);
    expect(one?.allowsPlain("127.0.0.1:80", plain)).toBe(true);
    expect(one?.allowsPlain("registry.example", plain)).toBe(insecure);
  }
});
