import { expect, test } from "vitest";
import { linkTextProblems } from "../../../scripts/check/docs.mjs";

test.each([
  "[builder/app](../builder/app/kinds.ts)",
  "[builder/app/kinds.ts](../builder/app/kinds.ts)",
  "[app/kinds.ts](../builder/app/kinds.ts)",
  "[native/](../native/addon.cc)",
  "[runner/attacks](../test/runner/attacks.test.ts)",
  "[the walk](../test/security/paths-walk.test.ts)",
  "[docs/errors.md](errors.md#top)",
  "[a/b](https://example.org/c)",
])("a link that leads to what it says: %s", (link) => {
  expect(linkTextProblems("docs/x.md", `See ${link}.`)).toEqual([]);
});

test.each([
  ["[runtime/warm](../runtime/share/share.h)", "runtime/share/share.h"],
  ["[builder/app/elf](../builder/libraries/linker.ts)", "builder/libraries/linker.ts"],
  ["[runtime/fuse/server.c](../runtime/fuse/session.c)", "runtime/fuse/session.c"],
  ["[fuse/server.c](../runtime/fuse/session.c#top)", "runtime/fuse/session.c"],
])("a link that leads elsewhere: %s", (link, target) => {
  const words = link.slice(1, link.indexOf("]"));
  expect(linkTextProblems("docs/x.md", `See ${link}.`)).toEqual([
    `docs/x.md: [${words}] leads to ${target}`,
  ]);
});
