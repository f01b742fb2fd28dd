/** Arguments and variables that a manifest records, as the app finds them. */
import { chmodSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, expect } from "vitest";
import { bundleOf, mksquashfs, printed } from "../support/bundle-of.ts";
import { missing, skipUnless } from "../support/needs.ts";
import { pack, start, ways } from "../support/packed.ts";
import { run } from "../support/process.ts";
import { buildSanitized } from "../support/sanitized.ts";
import { temporaryDirectory, userDirectory } from "../support/temporary.ts";

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

let runtime = "";
beforeAll(async () => {
  if (missing("gcc") === undefined) ({ runtime } = await buildSanitized());
}, 600_000);

skipUnless("gcc", "mksquashfs")("the sanitized runtime finds no fault with any of it", async () => {
  const dir = temporaryDirectory();
  writeFileSync(path.join(dir, "run"), show);
  chmodSync(path.join(dir, "run"), 0o755);
  writeFileSync(path.join(dir, "bad"), "#!/no/such/interpreter\n", { mode: 0o755 });
  const image = await mksquashfs(dir);
  const env = { HOME: temporaryDirectory(), FUSELAGE_MOUNT: "extract", GONE: "caller" };
  const recorded = { args: [`${variable}${variable}`, "", "$"], expandArgs: true, unset: ["GONE"] };
  const sound = await bundleOf(image, { ...recorded, env: [`SET=${variable}`, "KEPT="] }, runtime);
  const { stdout, stderr } = await run(sound, ["more"], { env });
  expect(stderr).toBe("");
  expect(stdout).toMatch(/^<(.+)\1><><\$><more>\|\|\|\1\|\1\n$/);
  // Where the start fails after the arguments were made, they are given back.
  const refused = await bundleOf(image, { ...recorded, entry: "bad" }, runtime);
  const failed = await run(refused, [], { env });
  expect(failed.stderr).toMatch(/E_ENTRY_INTERPRETER/);
  expect(failed.stderr).not.toMatch(/Sanitizer/);
});
