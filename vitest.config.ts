import { availableParallelism } from "node:os";
import path from "node:path";
import { defineConfig } from "vitest/config";
import { QuickFirst, TimesReporter } from "./scripts/test/vitest.mjs";

// Node reads the authorities that this names whenever it starts, which can take longer than the start itself, and tests
// start thousands. Only npm needs them, which gets them back (test/support/node-app.ts), and whoever downloads the Node that
// apps are packed with, which is done before (test/support/global-setup.ts).
const { NODE_EXTRA_CA_CERTS: authorities } = process.env;
delete process.env["NODE_EXTRA_CA_CERTS"];

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // What takes minutes to make ready has a command of its own: npm run test:debian.
    exclude: process.env["FUSELAGE_LONG"] === undefined ? ["test/root/debian.test.ts"] : [],
    // The slowest honest test packs and mounts real trees on two processors in half a minute, beside others and the
    // analyzers in more than one, and machines are several times slower than others. The limit is for what hangs.
    testTimeout: 300_000,
    // Some compile what they need, with sanitizers, while others do.
    hookTimeout: 600_000,
    // What a test waits for comes within moments; so this limit, too, is for what hangs.
    expect: { poll: { timeout: 60_000, interval: 20 } },
    env: {
      // Nothing outlives its test; test/runtime/share.test.ts says for itself what lingers.
      FUSELAGE_LINGER: "0",
      // Interpreters that were downloaded are kept with what else is built.
      XDG_CACHE_HOME: path.resolve(import.meta.dirname, "build/cache"),
      ...(authorities !== undefined && { TEST_AUTHORITIES: authorities }),
    },
    globalSetup: ["test/support/global-setup.ts"],
    // Processes, because tests change the working directory, the umask and signal handlers.
    pool: "forks",
    // Files at once, two more than there are processors: with one more, a quarter of their time was idle, because tests
    // wait. They share the machine's loop devices, mounts and processes, so each looks for its own alone; with more of
    // them than four none was tried.
    maxWorkers: Math.min(4, availableParallelism() + 2),
    // Of tests that may run at once; few do.
    maxConcurrency: Math.max(2, availableParallelism()),
    sequence: { sequencer: QuickFirst },
    reporters: ["default", new TimesReporter()],
  },
});
