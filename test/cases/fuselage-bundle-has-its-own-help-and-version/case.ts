import { expect } from "vitest";
import type { Case } from "../../support/case.ts";
import { aliasCommand, run } from "../../support/process.ts";

export default {
  program: "fuselage-bundle",
  args: ["--help"],
  stdout: /^Usage: fuselage-bundle --archive=FILE --output=FILE/,
  async check() {
    const version = await run(process.execPath, [aliasCommand, "--version"]);
    expect(version).toMatchObject({ status: 0, stderr: "" });
    expect(version.stdout).toMatch(/^fuselage-bundle \d+\.\d+\.\d+\n$/);
  },
} satisfies Case;
