/** A project for Node. What packs one is a third of the builder, and loaded where there is one. */
import type { Kind } from "../kind.ts";
import { looksLikeNode } from "./node-entry.ts";

export const node: Kind = {
  name: "node",
  detect: (input) => looksLikeNode(input),
  prepare: async (request) => (await import("./prepare.ts")).prepareNode(request),
};
