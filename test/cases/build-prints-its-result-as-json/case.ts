import { statSync } from "node:fs";
import { expect } from "vitest";
import { type Case, smallApp } from "../../support/case.ts";

export default {
  files: { ...smallApp, "app/data": "some text" },
  args: ["build", "app", "-o", "out", "--json", "--arg=--x", "--env", "A=b=c", "--name", "small"],
  check(dir, { stdout }) {
    const result = JSON.parse(stdout);
    expect(result).toMatchObject({
      output: `${dir}/out`,
      size: statSync(`${dir}/out`).size,
      name: "small",
      entry: "bin/app",
      args: ["--x"],
      env: ["A=b=c"],
      runtimeOptions: true,
      image: { compression: "zstd", level: 15, blockSize: 131072, files: 2 },
    });
    expect(result.image.offset + result.image.paddedBytes).toBe(result.size);
  },
} satisfies Case;
