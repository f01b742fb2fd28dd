import { describe, expect, test } from "vitest";
import { fillTemplate } from "../../../builder/host/template.ts";

const internal = expect.objectContaining({ code: "E_INTERNAL" });

describe("a template", () => {
  test("has its placeholders replaced, each as often as it stands there", () => {
    expect(fillTemplate("{{a}} {{b}} {{a}} { {c} }", { a: "1", b: "{{a}}" }, "t")).toBe(
      "1 {{a}} 1 { {c} }",
    );
  });

  test("quotes for a shell and for JSON", () => {
    const values = { a: `it's "$HOME"\n` };
    expect(fillTemplate("{{a:shell}}", values, "t")).toBe(`'it'\\''s "$HOME"\n'`);
    expect(fillTemplate("{{a:json}}", values, "t")).toBe('"it\'s \\"$HOME\\"\\n"');
  });

  test.each([
    ["{{gone}}", {}],
    ["{{a:perl}}", { a: "" }],
    ["{{toString}}", {}],
    ["{{ a }}", { a: "" }],
    ["text", { a: "" }],
  ])("%j with %j is a mistake of ours", (text, values) => {
    expect(() => fillTemplate(text, values, "t")).toThrow(internal);
  });
});
