import { expect } from "vitest";
import { type Case, smallApp } from "../../support/case.ts";
import { isRoot } from "../../support/process.ts";

export default {
  files: {
    ...smallApp,
    "app/share/a": "a\n",
    "app/share/b": "b\n".repeat(90_000),
    "app/share/link": { link: "a" },
    "app/bundle.config.json": '{ "name": "greet", "args": ["x"] }',
  },
  args: ["verify", "--reproducible", "app", "--json"],
  check(_, { stdout }) {
    const { builds, varied, sha256 } = JSON.parse(stdout);
    expect(builds).toBe(3);
    expect(sha256).toMatch(/^[0-9a-f]{64}$/);
    const user = isRoot ? ["user"] : [];
    const all = ["cache", "clock", "time zone", "locale", "umask", ...user, "threads", "place"];
    expect(varied).toEqual(all);
  },
} satisfies Case;
