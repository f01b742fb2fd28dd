/** What editors know of bundle.config.*, and the examples in the docs. */
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { loadConfig } from "../../../builder/config/config-file.ts";
import { configKeys } from "../../../builder/generated/spec.ts";
import { root } from "../../support/process.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

const schema = JSON.parse(readFileSync(path.join(root, "dist/bundle.config.schema.json"), "utf8"));
const page = readFileSync(path.join(root, "docs/config.md"), "utf8");

describe("the schema of configuration files", () => {
  test("has the keys that a build checks, and refuses others", () => {
    const { $schema, ...properties } = schema.properties;
    expect(properties).toEqual(configKeys.properties);
    expect($schema).toMatchObject({ type: "string" });
    expect(schema).toMatchObject({ type: "object", additionalProperties: false });
  });

  test("is in the package", () => {
    const { files } = JSON.parse(readFileSync(path.join(root, "package.json"), "utf8"));
    expect(files).toEqual(expect.arrayContaining(["dist", "templates"]));
    expect(page).toContain("dist/bundle.config.schema.json");
  });
});

describe("the examples of docs/config.md", () => {
  const examples = [...page.matchAll(/```(json|ts)\n([\s\S]*?)```/g)];

  test("are there", () => expect(examples.map(([, kind]) => kind)).toEqual(["json", "ts", "json"]));

  test.each(examples.map(([, kind, text]) => ({ kind, text })))(
    "in $kind are right",
    async (one) => {
      const file = path.join(temporaryDirectory(), `bundle.config.${one.kind}`);
      writeFileSync(file, one.text ?? "");
      const { options } = await loadConfig(file);
      expect(options).toMatchObject({ entry: "bin/server" });
      expect(path.isAbsolute(options.output ?? "")).toBe(true);
    },
  );
});
