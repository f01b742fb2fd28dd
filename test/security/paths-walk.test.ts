/** The walk that decides whether others can change a path (runtime/kernel/trusted_path.h), case by case. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  lchownSync,
  mkdirSync,
  readdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect } from "vitest";
import { skipUnless } from "../support/needs.ts";
import { bundle, ordinaryUser, root, run } from "../support/process.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const check = skipUnless("root", "gcc");
const { uid, gid } = ordinaryUser();
const other = uid + 1;
let program: string;

beforeAll(async () => {
  program = path.join(temporaryDirectory(), "walk");
  const flags = [
    "-std=gnu17",
    "-D_GNU_SOURCE",
    "-g",
    "-fsanitize=address,undefined",
    "-Wall",
    "-Werror",
  ];
  const sources = [
    "kernel/trusted_path.c",
    "base/descriptors.c",
    "base/bytes.c",
    "base/fail.c",
    "base/show.c",
    "flavour/front.c",
    "generated/spec.c",
  ];
  const { status, stderr } = await run("gcc", [
    ...flags,
    ...["", "/generated"].map((dir) => `-I${path.join(root, `runtime${dir}`)}`),
    path.join(root, "test/c/paths.c"),
    ...sources.map((name) => path.join(root, "runtime", name)),
    "-o",
    program,
  ]);
  if (status !== 0) throw new Error(stderr);
});

/** What stands at a path: a folder, or a link to `to`; whose it is, and its mode. */
type Entry = [name: string, owner: number, mode: number | { to: string }, group?: number];

/** Makes a folder of root's with these entries in it. */
function layout(entries: readonly Entry[], mode = 0o755): string {
  const top = temporaryDirectory();
  chmodSync(top, mode);
  for (const [name, owner, what, group = owner] of entries) {
    const file = path.join(top, name);
    if (typeof what === "number") {
      mkdirSync(file);
      chownSync(file, owner, group);
      chmodSync(file, what);
    } else {
      symlinkSync(what.to.replace(/^TOP/, top), file);
      lchownSync(file, owner, group);
    }
  }
  return top;
}

/** The program's lines for paths below `top`. */
async function walk(words: readonly string[], paths: readonly string[], as = uid) {
  const who = as === 0 ? {} : { uid: as, gid };
  const { status, stdout, stderr } = await run(program, [...words, ...paths], who);
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  return stdout.trimEnd().split("\n");
}

/** One path, with what `top` is left out of the answer. */
async function one(words: string, entries: readonly Entry[], name: string, as = uid, mode = 0o755) {
  const top = layout(entries, mode);
  const [line = ""] = await walk(words.split(" "), [`${top}/${name}`], as);
  return line.replaceAll(top, "TOP");
}

const house: Entry = ["house", uid, 0o700];

describe("is walked to its end:", () => {
  const cases: [string, Entry[], string, string?][] = [
    ["the user's own", [house], "house"],
    [
      "one in a folder of root's",
      [
        ["a", 0, 0o755],
        ["a/house", uid, 0o755],
      ],
      "a/house",
    ],
    ["one of root's", [["a", 0, 0o755]], "a"],
    [
      "one in a sticky folder of root's",
      [
        ["t", 0, 0o1777],
        ["t/x", uid, 0o700],
      ],
      "t/x",
    ],
    [
      "one of root's in a sticky folder",
      [
        ["t", 0, 0o1777],
        ["t/x", 0, 0o755],
      ],
      "t/x",
    ],
    ["a sticky folder itself", [["t", 0, 0o1777]], "t"],
    [
      "one in a sticky folder of the user's",
      [
        ["t", uid, 0o1777],
        ["t/x", uid, 0o700],
      ],
      "t/x",
    ],
    [
      "the user's own that its own group writes to",
      [
        ["g", uid, 0o775],
        ["g/x", uid, 0o775],
      ],
      "g/x",
    ],
    ["slashes and dots", [house], "/.//house/./", "house"],
    ["the way back", [house, ["b", uid, 0o700]], "house/../b/../house", "house"],
    [
      "a link of root's, as /house may be one",
      [house, ["l", 0, { to: "TOP/house" }]],
      "l",
      "house",
    ],
    ["a link of the user's", [house, ["l", uid, { to: "house" }]], "l", "house"],
    [
      "a link in the middle",
      [house, ["house/x", uid, 0o700], ["l", 0, { to: "./house" }]],
      "l/x",
      "house/x",
    ],
    [
      "a link that climbs",
      [house, ["house/l", uid, { to: "../b" }], ["b", uid, 0o700]],
      "house/l",
      "b",
    ],
    [
      "a link of the user's in a sticky folder",
      [["t", 0, 0o1777], house, ["t/l", uid, { to: "../house" }]],
      "t/l",
      "house",
    ],
    [
      "links to links",
      [house, ["l", 0, { to: "m" }], ["m", 0, { to: "TOP/n" }], ["n", uid, { to: "house/" }]],
      "l",
      "house",
    ],
  ];
  for (const [title, entries, name, end = name] of cases) {
    check(title, async () => {
      expect(await one("any", entries, name)).toBe(`ok TOP/${end}`);
    });
  }

  check("root's own, for root", async () => {
    expect(
      await one(
        "own",
        [
          ["a", 0, 0o755],
          ["a/b", 0, 0o700],
        ],
        "a/b",
        0,
      ),
    ).toBe("ok TOP/a/b");
  });
});

describe("is refused, since others can change it:", () => {
  const unsafe =
    /^EACCES TOP\/(\S+): expected a directory of user \d+ or root, found one of another or one that others can change \(owner (\d+), mode (\d+)\)$/;
  const theirs: Entry = ["a", other, 0o755];
  const inTheirs: Entry[] = [theirs, ["a/x", uid, 0o700], ["a/x/y", uid, 0o700]];
  const cases: [string, Entry[], string, string][] = [
    ["another user's", [theirs], "a", "a"],
    ["the user's own in another's", inTheirs, "a/x", "a"],
    ["deep in another's", inTheirs, "a/x/y", "a"],
    [
      "another's in the middle",
      [house, ["house/a", other, 0o755], ["house/a/x", uid, 0o700]],
      "house/a/x",
      "house/a",
    ],
    [
      "another's in a sticky folder",
      [
        ["t", 0, 0o1777],
        ["t/a", other, 0o755],
        ["t/a/x", uid, 0o700],
      ],
      "t/a/x",
      "t/a",
    ],
    [
      "everybody's, not sticky",
      [
        ["w", 0, 0o777],
        ["w/x", uid, 0o700],
      ],
      "w/x",
      "w",
    ],
    [
      "the user's own that everybody writes to",
      [
        ["w", uid, 0o777],
        ["w/x", uid, 0o700],
      ],
      "w/x",
      "w",
    ],
    [
      "a group's of root's, the user's own group",
      [
        ["g", 0, 0o775, gid],
        ["g/x", uid, 0o700],
      ],
      "g/x",
      "g",
    ],
    [
      "the user's own that another group writes to",
      [
        ["g", uid, 0o775, other],
        ["g/x", uid, 0o700],
      ],
      "g/x",
      "g",
    ],
    [
      "a sticky folder of another's",
      [
        ["t", other, 0o1777],
        ["t/x", uid, 0o700],
      ],
      "t/x",
      "t",
    ],
    [
      "another's link in a sticky folder",
      [house, ["t", 0, 0o1777], ["t/l", other, { to: "TOP/house" }]],
      "t/l",
      "t/l",
    ],
    [
      "another's link to root's",
      [
        ["t", 0, 0o1777],
        ["t/l", other, { to: "TOP" }],
      ],
      "t/l",
      "t/l",
    ],
    [
      "a link of the user's through another's",
      [...inTheirs, ["l", uid, { to: "TOP/a/x" }]],
      "l",
      "a",
    ],
    [
      "a link of root's to another's link",
      [house, ["l", 0, { to: "m" }], ["m", other, { to: "house" }]],
      "l",
      "m",
    ],
    [
      "a link through another's and back",
      [house, theirs, ["l", uid, { to: "a/../house" }]],
      "l",
      "a",
    ],
    ["the way back out of another's", [house, theirs], "a/../house", "a"],
    [
      "a file of everybody's",
      [
        ["t", 0, 0o1777],
        ["t/a", other, 0o777],
      ],
      "t/a/../t",
      "t/a",
    ],
  ];
  for (const [title, entries, name, at] of cases) {
    check(title, async () => {
      for (const end of ["any", "make"]) {
        const more = end === "make" ? `${name}/new` : name;
        const [, fault] = unsafe.exec(await one(end, entries, more)) ?? [];
        expect(fault).toBe(at);
      }
    });
  }

  check("the message says whose it is and what its mode", async () => {
    const [, ...said] = unsafe.exec(await one("any", [["a", other, 0o2750]], "a/x")) ?? [];
    expect(said).toEqual(["a", `${other}`, "2750"]);
  });

  check("a user's folder, for root", async () => {
    for (const name of ["house", "house/x"]) {
      const [, fault] =
        unsafe.exec(await one("make", [house, ["house/x", 0, 0o700]], `${name}/new`, 0)) ?? [];
      expect(fault).toBe("house");
    }
  });

  check("what a group writes to, for root and setuid-root", async () => {
    const entries: Entry[] = [
      ["g", 0, 0o775],
      ["u", uid, 0o775],
    ];
    expect(await one("any", entries, "g", 0)).toMatch(unsafe);
    expect(await one("any", entries, "u")).toBe("ok TOP/u");
    expect(await one("setuid any", entries, "u")).toMatch(unsafe);
  });
});

describe("the end", () => {
  const not = /^EPERM TOP\/x: expected a directory of user \d+, found one of another or one that/;
  check("that has to be the user's own is not root's or another's, nor everybody's", async () => {
    const ends: Entry[] = [
      ["x", 0, 0o755],
      ["x", other, 0o755],
      ["x", uid, 0o777],
      ["x", uid, 0o1777],
      ["x", uid, 0o775, other],
    ];
    for (const entry of ends) {
      for (const end of ["own", "make"]) expect(await one(end, [entry], "x")).toMatch(not);
    }
    for (const mode of [0o700, 0o755, 0o775]) {
      for (const end of ["own", "make"])
        expect(await one(end, [["x", uid, mode]], "x")).toBe("ok TOP/x");
    }
  });

  check("is made when it is not there, mode 0700, and nothing above it", async () => {
    const top = layout([house]);
    expect(await walk(["make"], [`${top}/house/new`, `${top}/house/new/`])).toEqual(
      Array(2).fill(`ok ${top}/house/new`),
    );
    const { mode, uid: owner } = statSync(`${top}/house/new`);
    expect({ mode: mode & 0o7777, owner }).toEqual({ mode: 0o700, owner: uid });
    expect(await walk(["make"], [`${top}/house/no/new`])).toEqual([
      `ENOENT ${top}/house/no: No such file or directory`,
    ]);
    expect(await walk(["any", `${top}/house/gone`], [])).toEqual([
      `ENOENT ${top}/house/gone: No such file or directory`,
    ]);
    expect(readdirSync(`${top}/house`)).toEqual(["new"]);
  });

  check("that is to be made is no link and no file", async () => {
    expect(await one("make", [house, ["l", uid, { to: "house" }]], "l")).toMatch(
      /^EEXIST TOP\/l: /,
    );
    expect(await one("make", [house, ["l", uid, { to: "gone" }]], "l")).toMatch(/^EEXIST TOP\/l: /);
    const top = layout([house]);
    writeFileSync(`${top}/file`, "");
    expect(await walk(["make"], [`${top}/file`])).toEqual([`EEXIST ${top}/file: File exists`]);
  });

  check("of a link has to be the user's own too", async () => {
    const entries: Entry[] = [
      house,
      ["a", 0, 0o755],
      ["l", uid, { to: "a" }],
      ["m", uid, { to: "house" }],
    ];
    expect(await one("own", entries, "l")).toMatch(/^EPERM TOP\/a: /);
    expect(await one("own", entries, "m")).toBe("ok TOP/house");
  });

  check("links in a circle, too many of them, and names that are too long", async () => {
    expect(await one("any", [["l", uid, { to: "l" }]], "l")).toMatch(/^ELOOP /);
    const chain = Array.from({ length: 41 }, (_, i): Entry => [`${i}`, uid, { to: `${i + 1}` }]);
    expect(await one("any", [...chain, ["41", uid, 0o700]], "1")).toBe("ok TOP/41");
    expect(await one("any", [...chain, ["41", uid, 0o700]], "0")).toMatch(/^ELOOP /);
    const fans: Entry[] = [
      house,
      ["l", uid, { to: "house/../m/..".repeat(1) }],
      ["m", uid, { to: "." }],
    ];
    const many = `${"m/".repeat(41)}house`;
    expect(await one("any", fans, many)).toMatch(/^ELOOP /);
    expect(await one("any", [house], "x".repeat(256))).toMatch(/^ENAMETOOLONG /);
    expect(await walk(["any"], ["./relative"])).toEqual([
      "EINVAL ./relative: expected an absolute path",
    ]);
  });
});

describe("in a user namespace that maps one user", () => {
  const entries: Entry[] = [
    ["t", 0, 0o1777],
    ["t/mine", uid, 0o700],
    ["t/roots", 0, 0o755],
    ["t/roots/x", uid, 0o700],
    ["t/theirs", other, 0o755],
    ["t/theirs/x", uid, 0o700],
    ["t/link", other, { to: "mine" }],
  ];
  const named = ["mine", "roots/x", "theirs/x", "link"];

  check("root's folders are passed, but in a sticky one nobody's", async () => {
    // Not below /tmp, where the folder would be nobody's in a sticky one itself.
    const top = "/var/lib/fuselage-test-walk";
    mkdirSync(top, { recursive: true });
    try {
      for (const [name, owner, what] of entries) {
        const file = path.join(top, name);
        if (typeof what !== "number") {
          symlinkSync(what.to, file);
          lchownSync(file, owner, owner);
          continue;
        }
        mkdirSync(file);
        chownSync(file, owner, owner);
        chmodSync(file, what);
      }
      const lines = await walk(
        ["single", "any"],
        named.map((name) => `${top}/t/${name}`),
      );
      expect(lines.map((line) => line.split(" ")[0])).toEqual(["ok", "EACCES", "EACCES", "EACCES"]);
      // Where somebody is 65534, it says nothing of root.
      const mapped = await run(program, ["range", "any", `${top}/t/mine`]);
      expect(mapped.stdout).toMatch(/^EACCES \/var: expected .* \(owner 65534, mode 0755\)\n$/);
    } finally {
      await run("rm", ["-rf", "--one-file-system", top]);
    }
  });
});

describe("a file system that says itself whose it is", () => {
  skipUnless(
    "root",
    "gcc",
    "fuse",
  )("is not believed in a sticky folder, nor by root", async () => {
    const top = layout([
      ["t", 0, 0o1777],
      ["t/m", other, 0o755],
      ["m", 0, 0o755],
    ]);
    const dir = temporaryDirectory();
    const image = path.join(temporaryDirectory(), "a.sfs");
    chmodSync(dir, 0o700);
    writeFileSync(path.join(dir, "file"), "");
    expect(await bundle(["pack", dir, "-o", image])).toMatchObject({ status: 0 });
    for (const at of ["t/m", "m"]) {
      const options = ["-o", `uid=${uid},gid=${gid}`, "--mount-type=fuse"];
      expect(await bundle(["mount", image, `${top}/${at}`, ...options])).toMatchObject({
        status: 0,
      });
    }
    try {
      expect(statSync(`${top}/t/m`).uid).toBe(uid);
      const answers = await walk(["own"], [`${top}/m`, `${top}/t/m`]);
      expect(answers.map((line) => line.split(" ")[0])).toEqual(["ok", "EPERM"]);
      expect(await walk(["any"], [`${top}/m`], 0)).toMatchObject([/^EACCES /]);
    } finally {
      for (const at of ["t/m", "m"]) await bundle(["umount", `${top}/${at}`]);
    }
  });
});

describe("while another user exchanges what is its own to exchange", () => {
  const loop = `import ctypes, sys
libc = ctypes.CDLL(None)
a, b = (x.encode() for x in sys.argv[1:])
print("up", flush=True)
while True: libc.renameat2(-100, a, -100, b, 2)`;
  const attacks: [string, Entry[]][] = [
    [
      "a folder and a link to the user's own",
      [
        ["t/a", other, 0o777],
        ["t/b", other, { to: "../house" }],
      ],
    ],
    [
      "a link to the user's own and one to its folder",
      [
        ["t/a", other, { to: "../house" }],
        ["t/b", other, { to: "c" }],
        ["t/c", other, 0o777],
      ],
    ],
  ];
  for (const [title, entries] of attacks) {
    check(`${title}: no walk comes through`, async () => {
      const top = layout([house, ["house/x", uid, 0o700], ["t", 0, 0o1777], ...entries]);
      const args = ["-c", loop, `${top}/t/a`, `${top}/t/b`];
      const child: ChildProcess = spawn("/usr/bin/python3", args, {
        uid: other,
        gid: other,
        stdio: ["ignore", "pipe", "inherit"],
      });
      if (!child.stdout) throw new Error("no pipe");
      await once(child.stdout, "data");
      try {
        const lines = await walk(["times", "20000", "make"], [`${top}/t/a/x`]);
        expect(lines.filter((line) => !line.startsWith("EACCES "))).toEqual([]);
      } finally {
        child.kill("SIGKILL");
      }
    });
  }
});
