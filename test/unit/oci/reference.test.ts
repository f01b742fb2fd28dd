/** Names of images as users write them. */
import { describe, expect, test } from "vitest";
import {
  nameOf,
  namesImage,
  parseReference,
  pathOf,
  shownReference,
} from "../../../builder/oci/reference.ts";

const hex = "a".repeat(64);

describe("names in registries", () => {
  test.each([
    ["docker://nginx", "docker://docker.io/library/nginx:latest", "nginx"],
    ["docker://nginx:1.25", "docker://docker.io/library/nginx:1.25", "nginx"],
    ["docker://docker.io/nginx", "docker://docker.io/library/nginx:latest", "nginx"],
    ["docker://index.docker.io/a/b", "docker://docker.io/a/b:latest", "b"],
    ["docker://grafana/grafana", "docker://docker.io/grafana/grafana:latest", "grafana"],
    ["docker://localhost/x", "docker://localhost/x:latest", "x"],
    ["docker://localhost:5000/x", "docker://localhost:5000/x:latest", "x"],
    ["docker://localhost:5000/x:y", "docker://localhost:5000/x:y", "x"],
    ["docker://[::1]:5000/x", "docker://[::1]:5000/x:latest", "x"],
    ["docker://quay.io/a/b/c__d:v1", "docker://quay.io/a/b/c__d:v1", "c__d"],
    [`docker://a.b/c@sha256:${hex}`, `docker://a.b/c@sha256:${hex}`, "c"],
    [`docker://a.b/c:old@sha256:${hex}`, `docker://a.b/c@sha256:${hex}`, "c"],
  ])("%s", (text, shown, name) => {
    const reference = parseReference(text);
    expect(shownReference(reference)).toBe(shown);
    expect(nameOf(reference)).toBe(name);
    expect(parseReference(shown)).toEqual(reference);
  });

  test.each([
    "docker:nginx",
    "docker://",
    "docker://Nginx",
    "docker://a//b",
    "docker://a/../b",
    "docker://a.b/c:",
    "docker://a.b/c:-x",
    "docker://a.b/c@sha256:abc",
    "docker://a.b/c@md5:d41d8cd98f00b204e9800998ecf8427e",
    "docker://user:pass@a.b/c",
    "docker://a.b:99/c d",
    `docker://a.b/${"x".repeat(300)}`,
    "docker://localhost:5000/",
  ])("%s is none", (text) => {
    expect(() => parseReference(text)).toThrow(
      expect.objectContaining({ code: "E_OCI_REFERENCE", exitStatus: 2 }),
    );
  });
});

describe("names in folders and files", () => {
  test.each([
    ["oci:some/dir", { transport: "oci", path: "some/dir" }, "dir"],
    ["oci:/some/dir:v1", { transport: "oci", path: "/some/dir", tag: "v1" }, "dir"],
    ["oci:dir:host:5000/x:y", { transport: "oci", path: "dir", tag: "host:5000/x:y" }, "dir"],
    ["oci-archive:a.tar", { transport: "oci-archive", path: "a.tar" }, "a"],
    ["oci-archive:a.tar.gz:t", { transport: "oci-archive", path: "a.tar.gz", tag: "t" }, "a"],
    ["docker-archive:a.tar", { transport: "docker-archive", path: "a.tar" }, "a"],
    [
      "docker-archive:a.tar:nginx:1.25",
      { transport: "docker-archive", path: "a.tar", tag: "docker.io/library/nginx:1.25" },
      "nginx",
    ],
    ["tar:x/root.tar.zst", { transport: "tar", path: "x/root.tar.zst" }, "root"],
    ["tar:with:colon.tar", { transport: "tar", path: "with:colon.tar" }, "with:colon"],
    ["-", { transport: "tar", path: "-" }, "-"],
  ])("%s", (text, reference, name) => {
    expect(namesImage(text)).toBe(true);
    expect(parseReference(text)).toEqual(reference);
    expect(nameOf(parseReference(text))).toBe(name);
  });

  test.each(["oci:", "oci-archive:", "tar:", "folder", "container:x", ""])("%s is none", (text) => {
    expect(() => parseReference(text)).toThrow(
      expect.objectContaining({ code: "E_OCI_REFERENCE" }),
    );
  });

  test.each(["folder", "./oci:x", "C:/x", "ocix:dir", ""])("%s is a path", (text) => {
    expect(namesImage(text)).toBe(false);
  });
});

test("a folder that is called as standard input is one", () => {
  expect(pathOf(parseReference("-"))).toBeUndefined();
  expect(pathOf(parseReference("oci:-"))).toBe("-");
  expect(pathOf(parseReference("oci-archive:-:tag"))).toBe("-");
});
