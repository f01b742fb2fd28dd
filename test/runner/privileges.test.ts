/** Specification, "Privilege model": who the command is, and what was mounted how. */
import { readFileSync, readlinkSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect } from "vitest";
import { printed } from "../support/bundle-of.ts";
import { isRoot, ordinaryUser, run } from "../support/process.ts";
import {
  ask,
  asOrdinary,
  asRoot,
  checkOf,
  fixedPath,
  homeOf,
  imageOf,
  runnerOf,
  setuidRoot,
  start,
  type Way,
  ways,
} from "../support/runner.ts";

let image: string;
beforeAll(async () => {
  image = await imageOf();
});

/**
 * Everything at once, so that a command is asked behind every kind of mount. A setuid-root start with
 * a fixed path that no policy names is an ordinary user's.
 */
const everything = (way: Way) => [
  ...["-s", `s:${image}`, "-d", `d:${image}`, "--dynamic-empty=e"],
  ...(way.setuid ? [] : fixedPaths()),
];
const fixedPaths = () => [
  ...["-s", `${fixedPath()}:${image}`, "-d", `${fixedPath()}:${image}`],
  `--dynamic-empty=${fixedPath()}`,
];

const status = (text: string, name: string) =>
  new RegExp(`^${name}:\\s+(.*?)\\s*$`, "m").exec(text)?.[1];

describe.each(ways)("$title", (way) => {
  const check = checkOf(way);
  const uid = way.root ? 0 : ordinaryUser().uid;
  const self = (args: string[]) => ask(way, [...args, "cat", "/proc/self/status"]);

  check("the child process sees its real UID, as real, effective, saved and fs id", async () => {
    const text = await self(everything(way));
    expect(status(text, "Uid")).toBe(Array(4).fill(uid).join("\t"));
    expect(status(text, "Gid")).toBe(Array(4).fill(uid).join("\t"));
  });

  check("capabilities are what the caller's were", async () => {
    const text = await self(everything(way));
    const direct = isRoot && way.root ? readFileSync("/proc/self/status", "utf8") : "";
    for (const name of ["CapInh", "CapPrm", "CapEff", "CapAmb"]) {
      expect(status(text, name), name).toBe(status(direct, name) ?? "0000000000000000");
    }
  });

  check("no_new_privs is not set: sudo works inside", async () => {
    expect(status(await self(everything(way)), "NoNewPrivs")).toBe("0");
  });

  check("files that the command makes belong to the caller, everywhere", async () => {
    const home = homeOf(way);
    const [dir, empty] = [fixedPath(), fixedPath()];
    const script = `for d in "$HOME" "$FUSELAGE_TMPDIR" "$FUSELAGE_DYNAMIC/d" "$FUSELAGE_DYNAMIC/e" ${dir} ${empty}
      do touch "$d/new" && stat -c %u:%g "$d/new" || exit 1; done`;
    const archives = ["-d", `d:${image}`, "--dynamic-empty=e", "-d", `${dir}:${image}`];
    const out = await ask(way, [...archives, `--dynamic-empty=${empty}`, "sh", "-c", script], home);
    expect(out).toBe(`${uid}:${uid}\n`.repeat(6));
  });

  check("nosuid and nodev on every mount of ours", async () => {
    const script = 'echo "$FUSELAGE_TMPDIR"; cat /proc/self/mountinfo';
    const out = await ask(way, [...everything(way), "sh", "-c", script]);
    // The host's mounts, which other tests make too, are there as well.
    const own = [path.dirname(out.split("\n", 1)[0] ?? ""), `/run/fuselage/test-${process.pid}-`];
    const ours = out
      .trim()
      .split("\n")
      .map((line) => line.split(" "))
      .filter((fields) => {
        const [type, source] = fields.slice(fields.indexOf("-") + 1);
        const isOwn = own.some((place) => fields[4]?.startsWith(place));
        return source === "fuselage" || (type === "squashfs" && isOwn);
      });
    // procdirs, s, d with its lower layer, three fixed paths, one of them with a lower layer
    expect(ours.length).toBeGreaterThanOrEqual(way.setuid ? 4 : 8);
    for (const [, , , , at = "", options = ""] of ours) {
      expect(options.split(","), at).toEqual(expect.arrayContaining(["nosuid", "nodev"]));
    }
  });

  check("mounts do not reach the host", async () => {
    const out = await ask(way, [...everything(way), "cat", "/proc/self/mountinfo"]);
    const root = out.split("\n").find((line) => line.split(" ")[4] === "/");
    expect(root).not.toMatch(/ shared:/);
  });

  check("a home and an archive that only the caller may read", async () => {
    const home = homeOf(way);
    const script = `chmod 700 "$HOME" && cp "${image}" "$HOME/own.sfs" && chmod 600 "$HOME/own.sfs"`;
    await ask(way, ["sh", "-c", script], home);
    const args = ["-s", `a:${home}/own.sfs`, "sh", "-c", 'cat "$FUSELAGE_STATIC/a/file"'];
    expect(await ask(way, args, home)).toBe("packed\n");
  });
});

for (const way of [asRoot, setuidRoot]) {
  checkOf(way)(`${way.title}: a plain mount namespace, no user namespace`, async () => {
    const out = await ask(way, [...everything(way), "readlink", "/proc/self/ns/user"]);
    expect(out.trim()).toBe(readlinkSync("/proc/self/ns/user"));
  });

  checkOf(way)(`${way.title}: --map-root-user maps nothing`, async () => {
    const args = ["--map-root-user", "-s", image, "sh", "-c", "id -u; readlink /proc/self/ns/user"];
    const uid = way.root ? 0 : ordinaryUser().uid;
    expect(await ask(way, args)).toBe(`${uid}\n${readlinkSync("/proc/self/ns/user")}\n`);
  });
}

const user = checkOf(asOrdinary);

user("as a user: a user namespace that maps the caller and nobody else", async () => {
  const { uid, gid } = ordinaryUser();
  const script = "readlink /proc/self/ns/user; cat /proc/self/uid_map /proc/self/gid_map";
  const [space, ...maps] = (await ask(asOrdinary, [...everything(asOrdinary), "sh", "-c", script]))
    .trim()
    .split("\n");
  expect(space).not.toBe(readlinkSync("/proc/self/ns/user"));
  expect(maps.map((line) => line.trim().split(/\s+/).map(Number))).toEqual([
    [uid, uid, 1],
    [gid, gid, 1],
  ]);
});

user("as a user: --map-root-user makes uid 0 of the caller", async () => {
  const home = homeOf(asOrdinary);
  const script =
    'id -u; id -g; cat "$FUSELAGE_STATIC/image/file"; stat -c %u "$FUSELAGE_STATIC/image/file"; touch "$HOME/made" "$FUSELAGE_DYNAMIC/d/made"';
  const args = ["--map-root-user", "-s", image, "-d", `d:${image}`, "sh", "-c", script];
  expect(await ask(asOrdinary, args, home)).toBe("0\n0\npacked\n0\n");
  const { uid } = ordinaryUser();
  expect((await run("stat", ["-c", "%u", `${home}/made`])).stdout).toBe(`${uid}\n`);
});

for (const way of [asRoot, setuidRoot]) {
  checkOf(way)(`${way.title}: supplementary groups stay the caller's`, async () => {
    const groups = ["--groups", "1000,44,4711"];
    const ids = way.root ? [] : ["--reuid", "1000", "--regid", "1000"];
    const home = homeOf(way);
    const args = [...everything(way), "id", "-G"];
    const command = [...ids, ...groups, runnerOf(way), ...args];
    const out = printed(await run("setpriv", command, { env: { HOME: home } }));
    const direct = printed(await run("setpriv", [...ids, ...groups, "id", "-G"]));
    expect(out).toBe(direct);
    expect(out).toContain("4711");
  });
}

checkOf(asOrdinary, "root")("as a user: supplementary groups still count for access", async () => {
  const home = homeOf(asOrdinary);
  await run("sh", [
    "-c",
    `echo shared > ${home}/f && chown 0:4711 ${home}/f && chmod 640 ${home}/f`,
  ]);
  const ids = ["--reuid", "1000", "--regid", "1000", "--groups", "4711"];
  const command = [...ids, runnerOf(asOrdinary), "-s", image, "cat", `${home}/f`];
  expect(printed(await run("setpriv", command, { env: { HOME: home } }))).toBe("shared\n");
});

checkOf(setuidRoot)("setuid-root: a setuid program works inside, as outside", async () => {
  // What sudo needs: uid 0 by a set-id bit on a mount of the host.
  const home = homeOf(setuidRoot);
  const program = `${homeOf(asRoot)}/id`;
  await run("sh", ["-c", `cp "$(command -v id)" ${program} && chmod 4755 ${program}`]);
  expect(await ask(setuidRoot, [...everything(setuidRoot), program, "-u"], home)).toBe("0\n");
});

checkOf(setuidRoot)("setuid-root: the caller can trace its own command", async () => {
  const script = "readlink /proc/$$/exe && head -c 1 /proc/$$/environ >/dev/null && echo traced";
  expect(await ask(setuidRoot, ["-s", image, "sh", "-c", `sh -c '${script}'`])).toMatch(
    /traced\n$/,
  );
});

checkOf(setuidRoot, "loop")(
  "setuid-root: squashfs is loop-mounted, the device goes by itself",
  async () => {
    const own = 'grep " $FUSELAGE_STATIC/" /proc/self/mountinfo';
    const { stdout } = await start(setuidRoot, ["-s", image, "sh", "-c", own]);
    expect(stdout).toMatch(/ - squashfs \/dev\/loop\d+ ro/);
  },
);
