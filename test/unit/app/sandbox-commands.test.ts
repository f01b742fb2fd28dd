import { expect, test } from "vitest";
import { explain } from "../../../builder/api/build.ts";
import type { BuildOptions } from "../../../builder/config/build-options.ts";
import { type Files, writeFiles } from "../../support/case.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

async function warned(files: Files, options: Partial<BuildOptions> = {}): Promise<string[]> {
  const input = temporaryDirectory();
  writeFiles(input, files);
  const { warnings } = await explain({
    input,
    entry: "run",
    kind: "plain",
    permissions: { net: "none" },
    ...options,
  });
  return warnings.filter(({ code }) => code === "W_SANDBOX_EXEC").map((one) => one.message);
}

const calls = { run: '#!/bin/sh\necho "$(dirname "$0")"; printf x | cat; sort x; ls | tr a b\n' };

test("a build warns of a script that calls what its sandbox does not let it start", async () => {
  expect(await warned(calls)).toEqual([
    "run calls dirname, cat, sort and 2 more, and in its sandbox no program of the machine's starts; exec:host lets it",
  ]);
  expect(await warned({ run: "#!/usr/bin/env bash\n/usr/bin/cat x\n" })).toEqual([
    expect.stringMatching(/^run calls cat, /),
  ]);
});

test.each<[string, Files, Partial<BuildOptions>]>([
  ["there is no sandbox", calls, { permissions: undefined }],
  ["it may start the machine's", calls, { permissions: { exec: "host" } }],
  ["it is said that it starts its own", calls, { permissions: { exec: "own" } }],
  ["it calls nothing but its shell", { run: "#!/bin/sh\nf() { :; }\nf; echo x; test y\n" }, {}],
  ["it has what it calls", { run: "#!/bin/sh\nexec cat x\n", "bin/cat": "#!/bin/sh\n" }, {}],
  ["it is no shell's", { run: "#!/usr/bin/perl\ncat x;\n" }, {}],
  [
    "its shell is its own",
    { run: "#!/run/fuselage/a/sh\ncat x\n", sh: "#!/bin/sh\n" },
    { mountAt: "/run/fuselage/a" },
  ],
])("and says nothing where %s", async (_, files, options) => {
  expect(await warned(files, options)).toEqual([]);
});
