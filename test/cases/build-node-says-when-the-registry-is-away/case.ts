import type { Case } from "../../support/case.ts";

// Nobody listens at this port: the kernel gives it to nobody who asks for any.
export default {
  files: { "app/package.json": "{}", "app/index.js": "" },
  env: { npm_config_registry: "http://127.0.0.1:19999/", XDG_CACHE_HOME: "/nonexistent" },
  args: ["build", "app", "-o", "out"],
  code: "E_NODE_REGISTRY",
  stderr: /Node 24\.21\.0 for \w+ cannot be downloaded: .*ECONNREFUSED.*\n.*No Node for/,
} satisfies Case;
