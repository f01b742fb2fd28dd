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

  test("writes what YAML takes for the same text", () => {
    const values = { a: "a\u2028\u0085\u007f\ufeff\t'\"\\" };
    const text = fillTemplate("{{a:yaml}}", values, "t");
    expect(text).toMatch(/^[ -~]*$/);
    expect(JSON.parse(text)).toBe(values.a);
  });

  test("has a line once for each value of a list, and none for what is not there", () => {
    const text = "first\na={{a}} {{b}}\nc={{c}}\nlast";
    expect(fillTemplate(text, { a: ["1", "2"], b: "x", c: undefined }, "t")).toBe(
      "first\na=1 x\na=2 x\nlast",
    );
    expect(fillTemplate(text, { a: [], b: "x", c: "{{b}}" }, "t")).toBe("first\nc={{b}}\nlast");
  });

  test.each([
    ["{{a}}{{b}}", { a: ["1"], b: ["2"] }],
    ["{{gone}}", {}],
    ["{{a:perl}}", { a: "" }],
    ["{{toString}}", {}],
    ["{{ a }}", { a: "" }],
    ["text", { a: "" }],
  ])("%j with %j is a mistake of ours", (text, values) => {
    expect(() => fillTemplate(text, values, "t")).toThrow(internal);
  });
});
