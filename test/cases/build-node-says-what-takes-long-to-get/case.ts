import http from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import type { Case } from "../../support/case.ts";
import { run } from "../../support/process.ts";

/** Longer than a build is silent, ms. */
const SLOW = 3000;

// A registry that takes its time to say that it has nothing.
export default {
  files: { "app/package.json": "{}", "app/index.js": "" },
  args: ["build", "app", "-o", "out"],
  async run(cwd, command, args) {
    const server = http.createServer(async (_, response) => {
      await sleep(SLOW);
      response.writeHead(404).end();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const env = {
      npm_config_registry: `http://127.0.0.1:${port}/`,
      XDG_CACHE_HOME: "/nonexistent",
      CI: undefined,
    };
    try {
      const quiet = await run(command, [...args, "--json"], { cwd, env });
      expect(quiet.stderr).toMatch(/^bundle: \[E_NODE_REGISTRY\]/);
      return await run(command, args, { cwd, env });
    } finally {
      server.closeAllConnections();
      server.close();
    }
  },
  code: "E_NODE_REGISTRY",
  stderr:
    /^(?:bundle: .* \.\.\.\n)*?bundle: getting Node 24\.21\.0, and looking at what the app imports \.\.\.\nbundle: \[E_NODE_REGISTRY\]/,
} satisfies Case;
