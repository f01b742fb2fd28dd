/** AppImages that several builds write under one name, with what tells clients how to update them. */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { build } from "../../builder/api/build.ts";
import { sample, sampleDir } from "../support/appdir.ts";

test("the control file is of the AppImage beside it, whichever build was the last", async () => {
  const inputs = ["a", "b", "c", "d"].map((text) => path.join(sample({ text }), sampleDir));
  const dir = sample();
  const output = path.join(dir, "sample.AppImage");
  for (let round = 0; round < 8; round++) {
    await Promise.all(
      inputs.map((input) =>
        build({
          ...{ input, output, format: "appimage", kind: "plain" },
          updateInfo: "zsync|https://example.org/sample.AppImage.zsync",
        }),
      ),
    );
    const sha1 = createHash("sha1").update(readFileSync(output)).digest("hex");
    const control = readFileSync(`${output}.zsync`, "latin1");
    expect(/^SHA-1: (.*)$/m.exec(control)?.[1]).toBe(sha1);
  }
  const left = readdirSync(dir).filter((name) => name.startsWith("."));
  expect(left).toEqual([]);
});
