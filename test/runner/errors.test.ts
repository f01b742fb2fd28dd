/** Specification, "Error handling": what aborts a start, and that nothing is run or left then. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect } from "vitest";
import { nothing } from "../support/leftovers.ts";
import { asUser, run } from "../support/process.ts";
import {
  asOrdinary,
  checkOf,
  fixedPath,
  homeOf,
  imageOf,
  runnerOf,
  start,
  watch,
  ways,
} from "../support/runner.ts";
import { temporaryDirectory, userDirectory } from "../support/temporary.ts";

let image: string;
let corrupt: string;
beforeAll(async () => {
  image = await imageOf();
  // The inode table is not what its header says.
  const bytes = readFileSync(image);
  bytes.fill(0xff, Number(bytes.readBigUInt64LE(64)), Number(bytes.readBigUInt64LE(64)) + 16);
  corrupt = path.join(temporaryDirectory(), "corrupt.sfs");
  writeFileSync(corrupt, bytes);
});

describe.each(ways)("$title", (way) => {
  const check = checkOf(way);

  const failures: [string, () => string[]][] = [
    ["an archive that cannot be opened", () => ["-s", "/no/such.sfs", "touch"]],
    ["an archive that cannot be mounted", () => ["-s", `a:${corrupt}`, "touch"]],
    ["an archive that cannot be copied", () => ["-d", `a:${corrupt}`, "touch"]],
    [
      "an archive that cannot be extracted",
      () => ["--mount-type=extract", "-d", `a:${corrupt}`, "touch"],
    ],
    [
      "a second archive that fails behind a good one",
      () => ["-s", `a:${image}`, "-d", `b:${corrupt}`, "touch"],
    ],
    ["names that collide", () => ["-s", `a:${image}`, "-d", `a:${image}`, "touch"]],
    ["--run of nothing", () => ["-s", `a:${image}`, "--run", "none"]],
    ["--run of no program", () => ["-d", `a:${image}`, "--run", "plain"]],
    [
      "a command that is missing, at a fixed path",
      () => ["-s", `${fixedPath()}:${image}`, "no-command"],
    ],
    ["an unknown option", () => ["--nonsense", "touch"]],
  ];
  for (const [title, args] of failures) {
    check(`${title}: one line of what, one of what to do, and nothing is run or left`, async () => {
      const home = homeOf(way);
      const left = watch(way, home, [image, corrupt]);
      const witness = path.join(home, "ran");
      const { status, signal, stdout, stderr } = await start(way, [...args(), witness], home);
      expect({ signal, stdout }).toEqual({ signal: null, stdout: "" });
      expect([125, 126, 127]).toContain(status);
      expect(stderr).toMatch(/^fuselage: \[E_[A-Z_]+\] \S[\s\S]*\n {2}\S.*\n$/);
      expect(readdirSync(home)).not.toContain("ran");
      expect(await left()).toEqual(nothing);
    });
  }
});

checkOf(asOrdinary, "root")(
  "if the mount namespace cannot be created, fuselage aborts with a diagnostic",
  async () => {
    const home = userDirectory();
    // The limit is per user namespace: it is lowered in one of the test's own.
    const inner =
      'echo 0 > /proc/sys/user/max_user_namespaces && exec setpriv --bounding-set -all --inh-caps -all --no-new-privs "$0" "$@"';
    const unshare = ["--user", "--map-current-user", "--keep-caps", "sh", "-c", inner];
    // Read-only images are then shown without a namespace, by fusermount3: fusermount.test.ts.
    for (const archive of [[], ["-d", `a:${image}`]]) {
      const args = [...unshare, runnerOf(asOrdinary), ...archive, "echo", "started"];
      const { status, stdout, stderr } = await asUser("unshare", args, home);
      expect({ status, stdout }).toEqual({ status: 125, stdout: "" });
      expect(stderr).toMatch(/user namespace cannot be made \(limit/);
    }
  },
);

checkOf(asOrdinary, "root")("without /proc, a failure in words", async () => {
  const args = [
    "-m",
    "sh",
    "-c",
    'mount -t tmpfs none /proc && exec "$0" true',
    runnerOf(asOrdinary),
  ];
  const { status, stderr } = await run("unshare", args, { env: { HOME: temporaryDirectory() } });
  expect(status).toBe(125);
  expect(stderr).toMatch(/^fuselage: \[E_\w+\]/);
});
