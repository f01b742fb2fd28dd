/** What is deployed, and the request that asks for it. */
import { guestManifest, healthCommand, startScript } from "../engines/fuse/guest.ts";
import type { CreateRequest } from "./environments.ts";

/** What is deployed, and how. */
export interface Deployment {
  /** A DNS label: what it is called at the engine. */
  name: string;
  /** Of the bundle: 64 hex digits. */
  sha256: string;
  /** Of the bundle, bytes. */
  size: number;
  arch: string;
  /** Offers the bundle, or says where it is offered; asked only where it is needed. */
  offer: () => Promise<{ url: string; close: () => Promise<void> }>;
  args: readonly string[];
  cpus: number;
  /** MiB. */
  memory: number;
  region?: string | undefined;
  labels: ReadonlyMap<string, string>;
  env: ReadonlyMap<string, string>;
  secrets: ReadonlyMap<string, string>;
  expose: readonly { port: number; as?: string }[];
  /** Seconds; undefined: as the engine has it. */
  ttl?: number | undefined;
  /** Whether to wait until the app runs and listens. */
  wait: boolean;
  /** For all of it, seconds. */
  timeout: number;
  /** For the script that fetches and starts the bundle, seconds. */
  startTimeout: number;
}

/** @param url where the machine finds the bundle */
export function createRequest(deployment: Deployment, url: string): CreateRequest {
  const { name, sha256, size, arch, args, cpus, memory, region, labels, env, secrets } = deployment;
  const { expose, ttl, startTimeout } = deployment;
  const ports = expose.map(({ port }) => port);
  const manifest = guestManifest(env, secrets.keys());
  return {
    task_id: name,
    spec: {
      cpus,
      ram_mb: memory,
      ...(region !== undefined && { region }),
      ...(labels.size > 0 && { labels: Object.fromEntries(labels) }),
      ...(ttl !== undefined && { max_runtime_seconds: ttl }),
    },
    manifest_inline: Buffer.from(manifest).toString("base64"),
    ...(secrets.size > 0 && { secrets: Object.fromEntries(secrets) }),
    startup_script: startScript({ name, url, sha256, size, arch, args }),
    startup_script_timeout_seconds: startTimeout,
    ...(expose.length > 0 && { expose: [...expose] }),
    healthcheck: {
      exec: healthCommand(name, ports),
      interval_seconds: 5,
      timeout_seconds: 5,
      retries: 3,
      start_period_seconds: 60,
    },
  };
}
