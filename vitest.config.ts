import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // The slowest honest test packs and mounts real trees on two processors.
    testTimeout: 60_000,
    hookTimeout: 120_000,
    globalSetup: ["test/support/global-setup.ts"],
    // Processes, because tests change the working directory, the umask and signal handlers.
    pool: "forks",
  },
});
