/** A record KEEP: a file of the image that starts may keep decompressed. */

export interface KeptFile {
  /** Below the root of the image: a byte string. */
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** sha256, hexadecimal. */
  readonly digest: string;
}

export const formatKept = ({ size, digest, path }: KeptFile): string => `${size} ${digest} ${path}`;

/** Undefined for what no builder writes. */
export function parseKept(text: string): KeptFile | undefined {
  const [, size, digest, path] = /^([0-9]{1,15}) ([0-9a-f]{64}) ([^/].*)$/s.exec(text) ?? [];
  if (size === undefined || digest === undefined || path === undefined) return undefined;
  return { path, size: Number(size), digest };
}
