import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { runCommand } from "../../../builder/host/command.ts";
import { hasEnded } from "../../support/process.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

const sh = (script: string, patience: { milliseconds: number; bytes: number }) =>
  runCommand("sh", ["-c", script], { patience });
const second = { milliseconds: 1000, bytes: 1000 };

test("one that is begun when its end was wanted already is ended", async () => {
  const signal = AbortSignal.abort();
  expect(await runCommand("sleep", ["600"], { signal })).toMatchObject({ signal: "SIGTERM" });
});

describe("patience with a program of somebody else's", () => {
  test("is not needed by one that ends", async () => {
    const ended = await sh("echo out; echo err >&2; exit 3", { milliseconds: 60_000, bytes: 8 });
    expect(ended).toMatchObject({ status: 3, overdue: false, stdout: "out\n", stderr: "err\n" });
  });

  test("ends with one that was stopped", async () => {
    const stopped = await sh("echo $$; kill -STOP $$", second);
    expect(stopped).toMatchObject({ status: null, signal: "SIGKILL", overdue: true });
    await expect.poll(() => hasEnded(Number(stopped.stdout))).toBe(true);
  });

  test("ends with one whose pipes stay open when it has ended", async () => {
    const file = path.join(temporaryDirectory(), "pid");
    const script = `setsid sh -c 'echo $$ > ${file}; exec sleep 600' & until test -s ${file}; do sleep 0.05; done`;
    try {
      expect(await sh(script, second)).toMatchObject({ overdue: true });
    } finally {
      await expect.poll(() => readFileSync(file, "utf8")).toMatch(/^\d+\n$/);
      process.kill(Number(readFileSync(file, "utf8")), "SIGKILL");
    }
  });

  test("ends with one that writes without end", async () => {
    for (const stream of ["", ">&2"]) {
      const wrote = await sh(`exec yes ${stream}`, { milliseconds: 60_000, bytes: 1 << 16 });
      expect(wrote).toMatchObject({ signal: "SIGKILL", overdue: true });
      expect((wrote.stdout + wrote.stderr).length).toBeLessThan(1 << 20);
    }
  });
});
