/**
 * Certificates for one registry, from the folders that Podman's and Docker's programs take them from
 * (containers-certs.d(5)): `*.crt` are authorities, `NAME.cert` with `NAME.key` is the user's own.
 */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { rootCertificates } from "node:tls";
import { errnoCode, systemReason } from "../../errors.ts";
import { configDirectory } from "../../host/paths.ts";
import * as errors from "./registry-errors.ts";

/** As `tls.connect` takes them. */
export interface Certificates {
  ca?: string[];
  cert?: string;
  key?: string;
}

/** Where they are looked for, the first folder that is there is taken. */
function folders(host: string, environment: NodeJS.ProcessEnv): string[] {
  const config = configDirectory(environment);
  return [
    path.join(config, "containers/certs.d", host),
    path.join("/etc/containers/certs.d", host),
    path.join("/etc/docker/certs.d", host),
  ];
}

/**
 * @param host with its port, where it has one
 * @throws E_REGISTRY_CREDENTIALS where a file that is there cannot be read
 */
export function certificatesFor(
  host: string,
  environment: NodeJS.ProcessEnv = process.env,
): Certificates {
  for (const dir of folders(host, environment)) {
    let names: string[];
    try {
      names = readdirSync(dir).sort();
    } catch (cause) {
      if (["ENOENT", "ENOTDIR", "EACCES"].includes(errnoCode(cause) ?? "")) continue;
      throw unreadable(dir, cause);
    }
    const read = (name: string) => readText(path.join(dir, name));
    const own = names.filter((name) => name.endsWith(".crt")).map(read);
    const cert = names.find((name) => name.endsWith(".cert"));
    const key = cert?.replace(/cert$/, "key");
    return {
      ...(own.length > 0 && { ca: [...systemAuthorities(environment), ...own] }),
      ...(cert !== undefined && { cert: read(cert) }),
      ...(key !== undefined && { key: read(key) }),
    };
  }
  return {};
}

/** What Node goes by when it is told nothing: a list of our own takes the place of it. */
function systemAuthorities(environment: NodeJS.ProcessEnv): string[] {
  const extra = environment["NODE_EXTRA_CA_CERTS"];
  return [...rootCertificates, ...(extra ? [readText(extra)] : [])];
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw unreadable(file, cause);
  }
}

const unreadable = (file: string, cause: unknown) =>
  errors.credentials(`it cannot be read: ${systemReason(cause)}`, { path: file, cause });
