/** A registry of npm packages that tests fill, on a port of this machine. */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import http from "node:http";
import path from "node:path";
import { create } from "tar";
import { temporaryDirectory } from "./temporary.ts";

export interface TestRegistry {
  url: string;
  /** Paths that were asked for. */
  asked: string[];
  /** What `Authorization` said, in the same order. */
  authorizations: (string | undefined)[];
  /** Publishes a package with files below `package/`. */
  publish(name: string, version: string, files: Record<string, Buffer | string>): Promise<void>;
  /** Changes a byte of a tarball, behind its integrity. */
  spoil(name: string, version: string): void;
  close(): Promise<void>;
}

export async function startRegistry(): Promise<TestRegistry> {
  const packages = new Map<string, Map<string, { bytes: Buffer; integrity: string }>>();
  const asked: string[] = [];
  const authorizations: (string | undefined)[] = [];
  const server = http.createServer((request, response) => {
    const [, name = "", version] = decodeURIComponent(request.url ?? "").split("/");
    asked.push(request.url ?? "");
    authorizations.push(request.headers.authorization);
    const versions = packages.get(name);
    const tarball =
      version === undefined ? undefined : versions?.get(version.replace(/\.tgz$/, ""));
    if (tarball !== undefined) response.end(tarball.bytes);
    else if (versions !== undefined && version === undefined) {
      const entries = [...versions].map(([one, { integrity }]) => [
        one,
        { dist: { tarball: `${url}${name}/${one}.tgz`, integrity } },
      ]);
      response.end(JSON.stringify({ name, versions: Object.fromEntries(entries) }));
    } else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const url = `http://127.0.0.1:${address.port}/`;
  return {
    url,
    asked,
    authorizations,
    async publish(name, version, files) {
      const dir = temporaryDirectory();
      for (const [file, contents] of Object.entries(files)) {
        mkdirSync(path.join(dir, "package", path.dirname(file)), { recursive: true });
        writeFileSync(path.join(dir, "package", file), contents, { mode: 0o755 });
      }
      const archive = path.join(dir, "package.tgz");
      await create({ cwd: dir, file: archive, gzip: true }, ["package"]);
      const bytes = readFileSync(archive);
      const integrity = `sha512-${createHash("sha512").update(bytes).digest("base64")}`;
      const versions = packages.get(name) ?? new Map();
      packages.set(name, versions.set(version, { bytes, integrity }));
    },
    spoil(name, version) {
      const bytes = packages.get(name)?.get(version)?.bytes;
      if (bytes === undefined) throw new Error(`${name} ${version} is not published`);
      bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1);
    },
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
