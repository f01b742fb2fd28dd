/** A tree with every kind of file that an image can hold, made by an ordinary shell. */
import { execFileSync } from "node:child_process";
import { chmodSync } from "node:fs";
import path from "node:path";
import { isRoot } from "./process.ts";
import { temporaryDirectory } from "./temporary.ts";

const script = String.raw`
set -eu
umask 022
mkdir -p empty dir/deep/er many links 'with space' files
: > files/empty
printf x > files/one
head -c 131072 /dev/zero | tr '\0' a > files/one-block
head -c 131073 /dev/zero | tr '\0' b > files/one-block-and-a-byte
seq 1 200000 > files/text
head -c 700000 /dev/urandom > files/random
cp files/text files/text-again
truncate -s 5M files/hole
truncate -s 3M files/half-hole; seq 1 9999 >> files/half-hole; truncate -s 6M files/half-hole
i=0; while [ $i -lt 700 ]; do echo "file $i" > "many/file-$i"; i=$((i + 1)); done
ln files/text dir/hard; ln files/text dir/deep/hard-too
ln -s ../files/text links/relative
ln -s /etc/passwd links/absolute
ln -s no/such/thing links/dangling
ln -s "$(head -c 4000 /dev/zero | tr '\0' x)" links/long
mkfifo fifo
printf '\n' > "$(printf 'new\nline')"
printf b > "$(printf 'bad\377utf8')"
printf n > "$(head -c 255 /dev/zero | tr '\0' n)"
chmod 4755 files/one; chmod 2711 many; chmod 1777 empty; chmod 0400 files/text-again
`;

const rootScript = String.raw`
set -eu
mknod null c 1 3; mknod disk b 259 70000
chown 1000:1001 files/one-block; chown -h 12345:54321 links/relative
chmod 4755 files/one
`;

const rootXattrScript = String.raw`
setfattr -n trusted.mark -v "only root" files/random
setfattr -h -n trusted.link -v "of a link" links/relative
setfattr -n trusted.device -v "of a device" null
`;

const xattrScript = String.raw`
set -eu
setfattr -n user.short -v "value" files/text
setfattr -n user.binary -v 0x00ff00 files/text
setfattr -n user.long -v "$(head -c 3000 /dev/zero | tr '\0' v)" files/one many/file-1 many/file-2
setfattr -n user.dir -v "of a directory" dir
`;

const timesScript = String.raw`
set -eu
find . -exec touch -h -d '2001-02-03 04:05:06 UTC' {} +
touch -h -d '1970-01-01 00:00:00 UTC' files/empty; touch -d '2100-01-01 00:00:00 UTC' files/one
`;

/**
 * Makes the tree.
 *
 * @param xattrs set extended attributes too (needs setfattr)
 * @returns its folder
 */
export function everyType({ xattrs = true } = {}): string {
  const dir = path.join(temporaryDirectory(), "tree");
  const parts = ['mkdir "$0" && cd "$0"', script];
  if (isRoot) parts.push(rootScript);
  if (xattrs) parts.push(isRoot ? rootXattrScript : "", xattrScript);
  execFileSync("sh", ["-c", [...parts, timesScript].join("\n"), dir]);
  chmodSync(dir, 0o755);
  return dir;
}
