/**
 * Maps of root's start below a folder of another user's, who exchanges a folder on the way, after each call
 * that has to do with it in turn. strace holds the start behind every such call, so that nothing is raced.
 */
import path from "node:path";
import { beforeAll, describe, expect } from "vitest";
import { skipUnless } from "../support/needs.ts";
import { ordinaryUser, run } from "../support/process.ts";
import { asRoot, imageOf, runnerOf } from "../support/runner.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const check = skipUnless("root", "strace");
const { uid, gid } = ordinaryUser();

let image: string;
beforeAll(async () => {
  image = await imageOf({ "lib/data": "packed\n" });
});

/** Milliseconds for which strace holds the start behind each call. */
const HELD = 100;

/**
 * On a machine whose /etc may be changed: DIR/p/ssl is the user's, and p becomes a link to /etc when strace
 * has written so many lines. Prints what the app saw, whether it was exchanged, and what /etc has more.
 */
const script = `set -e
dir=$1 map=$2 calls=$3 runner=$4 image=$5
mount -t tmpfs none "$dir"
cd "$dir"
mkdir upper work owned log
mount -t overlay -o lowerdir=/etc,upperdir=upper,workdir=work none /etc
mkdir -p /etc/ssl
case $6 in deep) # as many overlays as may lie on each other
  mkdir u1 w1 u2 w2 between
  mount -t overlay -o lowerdir=owned,upperdir=u1,workdir=w1 none between
  mount -t overlay -o lowerdir=between,upperdir=u2,workdir=w2 none owned
esac
chown ${uid}:${gid} owned
as="setpriv --reuid=${uid} --regid=${gid} --clear-groups"
$as sh -c 'cd owned; mkdir -p p/ssl/sub; touch p/ssl/file; ln -s /theirs p/ssl/theirs.sh; mkfifo p/ssl/fifo'
find /etc | sort > before
touch log/calls
$as sh -c 'until [ $(wc -l < log/calls) -ge $0 ]; do [ ! -e log/ended ] || exit 0; sleep 0.01; done
  mv owned/p owned/away; ln -s /etc owned/p' "$calls" &
seen='test ! -e /etc/ssl/data || echo "covers /etc/ssl"; test ! -e /etc/ssl/new || echo "makes /etc/ssl/new"; echo ran'
strace -f -qq -o log/calls -P "$dir/owned/p" -P "$dir/owned/p/ssl" -e inject=all:delay_exit=${HELD * 1000} \\
  "$runner" --static=app:"$image" --bind="app/lib=$map" -- sh -c "$seen" 2>&1 | head -1
touch log/ended; wait
[ ! -L owned/p ] || echo exchanged
find /etc | sort | diff before - || true`;

async function attack(kind: string, map: (dir: string) => string, calls: number): Promise<string> {
  const dir = temporaryDirectory();
  const args = [dir, map(path.join(dir, "owned")), `${calls}`, runnerOf(asRoot), image, kind];
  const unshare = ["--mount", "--propagation", "private", "sh", "-c", script, "sh", ...args];
  const { stdout, stderr } = await run("unshare", unshare);
  expect(stderr).toBe("");
  return stdout;
}

const kinds: [string, string, (dir: string) => string, number][] = [
  ["a folder that is there", "plain", (dir) => `!${dir}/p/ssl`, 5],
  ["a missing folder, by an overlay", "plain", (dir) => `${dir}/p/ssl/new`, 14],
  ["a missing folder, where no overlay can be", "deep", (dir) => `${dir}/p/ssl/new`, 18],
];

describe.each(kinds)("%s", (_, kind, map, last) => {
  check("appears when nobody exchanges anything", async () => {
    expect(await attack(kind, map, 10_000)).toBe("ran\n");
  });

  for (let first = 1; first <= last; first += 6) {
    const calls = Array.from({ length: Math.min(6, last - first + 1) }, (_, i) => first + i);
    check(`appears nowhere else, and nothing is made: after calls ${calls}`, async () => {
      const outcomes = await Promise.all(calls.map((count) => attack(kind, map, count)));
      for (const [index, outcome] of outcomes.entries()) {
        expect({ calls: calls[index], outcome }).toEqual({
          calls: calls[index],
          outcome: expect.stringMatching(
            /^(ran|fuselage: \[E_MAP_(REFUSED|RESERVED|EXISTS)\] .*)\nexchanged\n$/,
          ),
        });
      }
    });
  }
});
