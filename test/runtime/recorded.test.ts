/** Arguments and variables that a manifest records, as the app finds them. */
import { chmodSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect } from "vitest";
import { skipUnless } from "../support/needs.ts";
import { run } from "../support/process.ts";
import { temporaryDirectory, userDirectory } from "../support/temporary.ts";
import { bundleOf, mksquashfs, printed } from "./bundle-of.ts";
import { pack, start, ways } from "./packed.ts";

const show = '#!/bin/sh\nprintf "<%s>" "$@"\necho "|$KEPT|$GONE|$SET|${FUSELAGE_BUNDLE_DIR}"\n';
const variable = "${FUSELAGE_BUNDLE_DIR}";

for (const way of ways) {
  const check = skipUnless(...way.needs);
  const home = () => (way.root ? temporaryDirectory() : userDirectory());

  check(`${way.title}: arguments are expanded and nothing else in them is`, async () => {
    const args = [`${variable}/a:${variable}`, "$HOME ${HOME} ${FUSELAGE_BUNDLE_DIR", ""];
    const file = await pack({ run: show }, { args });
    const line = printed(await start(way, file, [variable], home()));
    const dir = line.trim().split("|").at(-1);
    expect(line).toBe(`<${dir}/a:${dir}><${args[1]}><><${variable}>||||${dir}\n`);
  });

  check(`${way.title}: variables are taken away before those of the bundle are set`, async () => {
    const unset = ["GONE", "SET", "NEVER_THERE"];
    const file = await pack({ run: show }, { unsetEnv: unset, env: ["SET=bundle"] });
    const env = { KEPT: "caller", GONE: "caller", SET: "caller" };
    const line = printed(await start(way, file, ["x"], home(), { env }));
    expect(line).toMatch(/^<x>\|caller\|\|bundle\|/);
  });
}

skipUnless("mksquashfs")("without the word expand-args, arguments are as they are", async () => {
  const dir = temporaryDirectory();
  writeFileSync(path.join(dir, "run"), show);
  chmodSync(path.join(dir, "run"), 0o755);
  const file = await bundleOf(await mksquashfs(dir), { args: [`${variable}/a`] });
  const env = { HOME: temporaryDirectory(), FUSELAGE_MOUNT: "extract" };
  expect(printed(await run(file, [], { env }))).toMatch(`<${variable}/a>|`);
});
