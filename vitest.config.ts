import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // The slowest honest test packs and mounts real trees on two processors.
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // Nothing outlives its test; test/runtime/warm.test.ts says for itself what lingers.
    env: { FUSELAGE_LINGER: "0" },
    globalSetup: ["test/support/global-setup.ts"],
    // Processes, because tests change the working directory, the umask and signal handlers.
    pool: "forks",
  },
});
