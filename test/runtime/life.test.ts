/** Nothing stays after the app and its last descendant, however they end. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, describe, expect } from "vitest";
import { runArguments } from "../support/bundle-of.ts";
import { leftovers, leftSince, nothing, type Owned } from "../support/leftovers.ts";
import { skipUnless } from "../support/needs.ts";
import { pack, start, ways } from "../support/packed.ts";
import { ordinaryUser, run } from "../support/process.ts";
import { aloneIn } from "../support/start.ts";
import { temporaryDirectory, userDirectory } from "../support/temporary.ts";

const STARTS = 200;

let file: string;
beforeAll(async () => {
  file = await pack({ run: runArguments, "data/file": "packed\n" });
});

/** Only this test's files and homes: other test files start bundles at the same time. */
const servers = async (home: string) => {
  const { stdout } = await run("sh", [
    "-c",
    `grep -lz "HOME=${home}$" /proc/[0-9]*/environ 2>/dev/null | cut -d/ -f3`,
  ]);
  return stdout.trim().split("\n").filter(Boolean);
};

describe.each(ways)("$title", (way) => {
  const check = skipUnless(...way.needs);
  const makeHome = () => (way.root ? temporaryDirectory() : userDirectory());
  const launch = (home: string, script: string, detached = false): ChildProcess =>
    spawn(file, ["sh", "-c", script], {
      env: {
        PATH: process.env["PATH"],
        FUSELAGE_LINGER: "0",
        FUSELAGE_MOUNT: way.strategy,
        ...aloneIn(home),
      },
      ...(way.root ? {} : ordinaryUser()),
      stdio: ["pipe", "pipe", "inherit"],
      detached,
    });
  const begin = (home: string, args: readonly string[]) =>
    start(way, file, args, home, { env: aloneIn(home) });
  const watch = (home: string): Owned => ({ files: [file], homes: [home], own: [file, home] });

  check("after a normal end", async () => {
    const home = makeHome();
    const before = leftovers(watch(home));
    await begin(home, ["sh", "-c", 'cat "$FUSELAGE_BUNDLE_DIR/data/file"']);
    expect(await leftSince(before, watch(home))).toEqual(nothing);
    expect(await servers(home)).toEqual([]);
  });

  check("after kill -9 of the app", async () => {
    const home = makeHome();
    const before = leftovers(watch(home));
    const child = launch(home, "sleep 600 & echo $!; wait");
    const [own] = (await once(child.stdout as NonNullable<typeof child.stdout>, "data")) as [
      Buffer,
    ];
    child.kill("SIGKILL");
    await once(child, "exit");
    // Its own child lives on, with its files; it ends now.
    process.kill(Number(own), "SIGKILL");
    expect(await leftSince(before, watch(home))).toEqual(nothing);
  });

  check("a descendant that outlives the app keeps its files", async () => {
    const home = makeHome();
    const before = leftovers(watch(home));
    const script =
      "exec 3<&0; (trap '' HUP; read line <&3; cat \"$FUSELAGE_BUNDLE_DIR/data/file\") & echo started; exit 3";
    const child = launch(home, script);
    const closed = once(child, "close");
    let out = "";
    child.stdout?.on("data", (chunk: Buffer) => {
      out += chunk;
    });
    const [status] = (await once(child, "exit")) as [number];
    expect(status).toBe(3);
    child.stdin?.end();
    await closed;
    expect(out).toBe("started\npacked\n");
    expect(await leftSince(before, watch(home))).toEqual(nothing);
  });

  check("signals to the whole group do not take its files away first", async () => {
    const home = makeHome();
    const script = String.raw`
      trap '' HUP INT
      trap 'cat "$FUSELAGE_BUNDLE_DIR/data/file"; ls -R "$FUSELAGE_BUNDLE_DIR" | wc -l; exit 5' TERM
      echo up; while :; do sleep 0.05; done`;
    const child = launch(home, script, true);
    let out = "";
    const stdout = child.stdout as NonNullable<typeof child.stdout>;
    stdout.on("data", (chunk: Buffer) => {
      out += chunk;
    });
    await once(stdout, "data");
    for (const signal of ["SIGHUP", "SIGINT", "SIGTERM"] as const) {
      process.kill(-(child.pid as number), signal);
    }
    const [status] = (await once(child, "close")) as [number];
    expect({ status, out }).toEqual({
      status: 5,
      out: expect.stringMatching(/^up\npacked\n\d+\n$/),
    });
  });

  check(`${STARTS} at once all succeed and leave nothing`, async () => {
    const home = makeHome();
    const before = leftovers(watch(home));
    const command = ["sh", "-c", 'cat "$FUSELAGE_BUNDLE_DIR/data/file"'];
    const outcomes = await Promise.all(Array.from({ length: STARTS }, () => begin(home, command)));
    const failed = outcomes.filter(({ status, stdout }) => status !== 0 || stdout !== "packed\n");
    expect(failed).toEqual([]);
    expect(await leftSince(before, watch(home))).toEqual(nothing);
    expect(await servers(home)).toEqual([]);
  });

  check("killed at any moment of its start, it leaves nothing", async () => {
    const home = makeHome();
    const before = leftovers(watch(home));
    for (let i = 0; i < 60; i++) {
      const child = launch(home, "sleep 0.01");
      const ended = once(child, "exit");
      await sleep((i % 12) / 4); // 0 to 2.75 ms: a start takes about one
      child.kill("SIGKILL");
      await ended;
    }
    // The folder of one without a namespace, whose janitor was not there yet, goes with the next start.
    await begin(home, ["true"]);
    expect(await leftSince(before, watch(home))).toEqual(nothing);
  });
});

skipUnless("fuse", "userns")("the server is no child of the app", async () => {
  const script = 'read children < /proc/$$/task/$$/children; echo "[$children]"';
  const way = { strategy: "fuse", root: false } as const;
  const { stdout } = await start(way, file, ["sh", "-c", script], userDirectory());
  expect(stdout).toBe("[]\n");
});

skipUnless("fuse", "userns")("the server holds no pipe of the caller open", async () => {
  // The app's child keeps the namespace, and so the server, alive beyond the end of the pipe.
  const home = userDirectory();
  // A file tells it to end: of a process that has ended Node closes the input, too.
  const script =
    '(until test -e "$0-may-end"; do sleep 0.05; done; : > "$0") >/dev/null 2>&1 & echo done';
  const marker = path.join(home, "child-ended");
  const child = spawn(file, ["sh", "-c", script, marker], {
    env: { PATH: process.env["PATH"], FUSELAGE_LINGER: "0", HOME: home, FUSELAGE_MOUNT: "fuse" },
    ...ordinaryUser(),
    stdio: ["ignore", "pipe", "inherit"],
  });
  const stdout = child.stdout as NonNullable<typeof child.stdout>;
  stdout.resume();
  await once(stdout, "end");
  expect(existsSync(marker)).toBe(false);
  writeFileSync(`${marker}-may-end`, "");
  await expect.poll(() => existsSync(marker)).toBe(true);
});
