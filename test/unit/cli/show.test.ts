import { expect, test } from "vitest";
import { manifestJson, manifestRows } from "../../../builder/cli/show.ts";

const common = {
  name: "app",
  args: [],
  env: [],
  imageSize: 4096,
  noRuntimeOptions: false,
  version: "1.0.0",
  arch: "x86_64",
};

test("a bundle with an entry", () => {
  const manifest = { ...common, entry: "bin/app", mountAt: "/run/fuselage/a", writable: true };
  const { args, env, ...json } = manifestJson(manifest);
  expect(json).toEqual({
    name: "app",
    entry: "bin/app",
    mountAt: "/run/fuselage/a",
    writable: true,
    imageSize: 4096,
    runtimeOptions: true,
    version: "1.0.0",
    arch: "x86_64",
  });
  const rows = Object.fromEntries(manifestRows(manifest));
  expect(rows).toMatchObject({ entry: "bin/app", "mounted at": "/run/fuselage/a", invocation: "" });
  expect(rows["writable"]).not.toBe("");
});

test("a bundle with an invocation", () => {
  const manifest = { ...common, invocation: ["--run", "x\u001b"] };
  expect(manifestJson(manifest)).toMatchObject({
    invocation: ["--run", "x\u001b"],
    writable: false,
  });
  expect(manifestJson(manifest)).not.toHaveProperty("entry");
  expect(Object.fromEntries(manifestRows(manifest))["invocation"]).toMatch(/^--run\n +x\\x1b$/);
});
