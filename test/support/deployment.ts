/** What tests deploy, and who asks the engine of support/fuse-engine.ts, in one process with it. */
import { engineAddress } from "../../builder/deploy/address.ts";
import { Engine } from "../../builder/deploy/client.ts";
import type { Deployment } from "../../builder/deploy/deployment.ts";
import { Redactor } from "../../builder/deploy/secrets.ts";
import { TOKEN } from "./fuse-engine.ts";

/** The smallest there is; what a test is about it puts in the place of a field. */
export const deployment: Deployment = {
  name: "web",
  sha256: "0".repeat(64),
  size: 1,
  arch: "x86_64",
  offer: async () => ({ url: "http://localhost/", close: async () => {} }),
  args: [],
  cpus: 1,
  memory: 512,
  labels: new Map(),
  env: new Map(),
  secrets: new Map(),
  expose: [],
  wait: false,
  timeout: 60,
  startTimeout: 55,
};

/** @param to as the engine has it; to be closed by whoever asked for it */
export const clientOf = (to: string, redactor = new Redactor()) =>
  new Engine(engineAddress(to, false), { text: TOKEN, from: "the test" }, redactor);
