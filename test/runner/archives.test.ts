/** Zip files, and base64 text of them, through the runner. */
import { randomUUID } from "node:crypto";
import { readdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect } from "vitest";
import { nothing } from "../support/leftovers.ts";
import { run } from "../support/process.ts";
import { ask, checkOf, fixedPath, homeOf, refused, start, watch, ways } from "../support/runner.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { makeZip, S_IFLNK, S_IFREG, type ZipEntry, zipLink } from "../support/zip.ts";

function write(content: Buffer | string, name = "a.zip"): string {
  const file = path.join(temporaryDirectory(), name);
  writeFileSync(file, content);
  return file;
}

const say = "#!/bin/sh\nprintf '<%s>' \"$@\"\n";
const text = "compressible ".repeat(30_000);

/** What a zip file of an ordinary tool holds. */
const ordinary: ZipEntry[] = [
  { name: "dir/", mode: 0o040755 },
  { name: "file", content: "packed\n" },
  { name: "dir/deflated", content: text, deflate: true },
  { name: "bin/say", content: say, mode: S_IFREG | 0o755 },
  zipLink("link", "dir/deflated"),
  zipLink("absolute", "/bin/say"),
];

const uses: [string, string][] = [
  ["--static", "FUSELAGE_STATIC"],
  ["--dynamic", "FUSELAGE_DYNAMIC"],
];

/** One archive packed in each way that counts. */
const packings: [string, () => string][] = [
  ["stored and deflated", () => write(makeZip(ordinary))],
  [
    "zip64",
    () =>
      write(
        makeZip(
          ordinary.map((entry) => ({ ...entry, zip64: true })),
          true,
        ),
      ),
  ],
  [
    "zip64 entries in a plain file",
    () => write(makeZip(ordinary.map((e) => ({ ...e, zip64: true })))),
  ],
  ["base64 text", () => write(`# a comment\n${makeZip(ordinary).toString("base64")}\n`)],
  [
    "base64 in short lines",
    () =>
      write(
        (
          makeZip(ordinary)
            .toString("base64")
            .match(/.{1,60}/g) ?? []
        ).join("\n"),
      ),
  ],
  ["without a directory of its own", () => write(makeZip(ordinary.slice(1)))],
  ["the last first", () => write(makeZip([...ordinary].reverse()))],
  [
    "names as libarchive writes them",
    () => write(makeZip([{ name: "./" }, ...ordinary.map((e) => ({ ...e, name: `./${e.name}` }))])),
  ],
  [
    "dots before dots",
    () => write(makeZip(ordinary.map((e) => ({ ...e, name: `././${e.name}` })))),
  ],
  [
    "folders twice",
    () => write(makeZip([...ordinary, { name: "dir/", mode: 0o040700 }, { name: "bin/" }])),
  ],
  [
    "a trailing comment",
    () => {
      const bytes = Buffer.concat([makeZip(ordinary), Buffer.from("a comment")]);
      bytes.writeUInt16LE(9, bytes.length - 11);
      return write(bytes);
    },
  ],
];

describe.each(ways)("$title", (way) => {
  const check = checkOf(way);

  for (const [title, pack] of packings) {
    for (const [option, variable] of uses) {
      check(`${option}, ${title}: contents, links and modes`, async () => {
        const script = `cd "$${variable}/a" && cat file && wc -c < link && readlink absolute &&
          stat -c '%a %n' file bin/say && cmp link dir/deflated && ./bin/say 1`;
        const out = await ask(way, [`${option}=a:${pack()}`, "sh", "-c", script]);
        expect(out).toBe(`packed\n${text.length}\n/bin/say\n644 file\n755 bin/say\n<1>`);
      });
    }
  }

  check("a zip file of the zip tool", async () => {
    const dir = temporaryDirectory();
    const made = await run(
      "sh",
      [
        "-c",
        "mkdir -p t/e t/bin && echo packed > t/file && ln -s file t/l && cp /bin/sh t/bin/ && cd t && zip -qry ../z.zip .",
      ],
      { cwd: dir },
    );
    expect(made.status, made.stderr).toBe(0);
    const script =
      'cd "$FUSELAGE_STATIC/z" && cat l && [ -d e ] && cmp bin/sh /bin/sh && [ -x bin/sh ] && ls -A';
    const out = await ask(way, ["-s", path.join(dir, "z.zip"), "sh", "-c", script]);
    expect(out).toBe("packed\nbin\ne\nfile\nl\n");
  });

  check("--static is read-only, --dynamic is writable", async () => {
    const file = write(makeZip(ordinary));
    const script =
      'LC_ALL=C touch "$FUSELAGE_STATIC/a/new"; cd "$FUSELAGE_DYNAMIC/b" && echo x > file && rm -r dir && cat file';
    const args = ["-s", `a:${file}`, "-d", `b:${file}`, "sh", "-c", script];
    const { stdout, stderr } = await start(way, args);
    expect(stdout).toBe("x\n");
    expect(stderr).toContain("Read-only file system");
  });

  check("without --cache-static it leaves no traces on disk", async () => {
    const home = homeOf(way);
    const left = watch(way, home);
    await ask(way, ["-s", write(makeZip(ordinary)), "true"], home);
    expect(readdirSync(path.join(home, ".fuselage"))).toEqual(["procdirs"]);
    expect(await left()).toEqual(nothing);
  });

  check("at a fixed path, and with --run", async () => {
    const dir = fixedPath();
    const file = write(makeZip(ordinary));
    expect(await ask(way, ["-s", `${dir}:${file}`, "--run", `${dir}/bin/say`, "1"])).toBe("<1>");
    expect(await ask(way, ["-d", file, "--run", "absolute", "2"])).toBe("<2>");
  });

  check("of a folder that is there twice the first one counts", async () => {
    const twice = [
      { name: "d/", mode: 0o040750 },
      { name: "d/f", content: "x" },
      { name: "d/", mode: 0o040711 },
    ];
    for (const entries of [twice, [...twice].reverse()]) {
      const script = 'stat -c %a "$FUSELAGE_STATIC/a/d"';
      const out = await ask(way, ["-s", `a:${write(makeZip(entries))}`, "sh", "-c", script]);
      expect(out).toBe(entries === twice ? "750\n" : "711\n");
    }
  });

  const modes: [string, number, string, string][] = [
    ["0 is 0644", 0, "f", "644"],
    ["0600", S_IFREG | 0o600, "f", "600"],
    ["0555", S_IFREG | 0o555, "f", "555"],
    ["without a type", 0o755, "f", "755"],
    ["set-id bits are left out", S_IFREG | 0o6755, "f", "755"],
    ["a folder without a mode is 0755", 0, "f/", "755"],
  ];
  for (const [title, mode, name, expected] of modes) {
    check(`a mode of ${title}`, async () => {
      const file = write(makeZip([{ name, content: "", ...(mode && { mode }) }]));
      for (const [option, variable] of uses) {
        const args = [option, `a:${file}`, "stat", "-c", "%a"];
        const script = `stat -c %a "$${variable}/a/f"`;
        expect(await ask(way, [...args.slice(0, 2), "sh", "-c", script])).toBe(`${expected}\n`);
      }
    });
  }

  check("an empty zip file is an empty folder", async () => {
    const script = 'ls -A "$FUSELAGE_DYNAMIC/a" && touch "$FUSELAGE_DYNAMIC/a/f"';
    expect(await ask(way, ["-d", `a:${write(makeZip([]))}`, "sh", "-c", script])).toBe("");
  });

  check("files belong to the caller", async () => {
    const args = ["-d", `a:${write(makeZip(ordinary))}`, "sh", "-c"];
    const script =
      'cd "$FUSELAGE_DYNAMIC/a" && for f in . file dir bin/say; do [ -O $f ] || echo $f; done';
    expect(await ask(way, [...args, script])).toBe("");
  });

  const file = { name: "f", content: "x" };
  /** What is written outside by one of these has this name. */
  const evil = `evil-${randomUUID()}`;
  const unsafe: [string, ZipEntry[], string][] = [
    ["a path that climbs", [{ name: `../${evil}` }], `../${evil}`],
    ["a path that climbs out of a folder", [{ name: `a/../../${evil}` }], `a/../../${evil}`],
    ["a path that climbs and comes back", [{ name: "a/../b" }], "a/../b"],
    ["an absolute path", [{ name: `/tmp/${evil}` }], `/tmp/${evil}`],
    ["an empty component", [{ name: "a//b" }], "a//b"],
    ["a dot", [{ name: "a/./b" }], "a/./b"],
    ["only dots", [{ name: ".." }], ".."],
    ["a path that climbs behind a dot", [{ name: `./../${evil}` }], `../${evil}`],
    ["a path that climbs behind dots", [{ name: `././../../${evil}` }], `../../${evil}`],
    ["an absolute path behind a dot", [{ name: `.//tmp/${evil}` }], `/tmp/${evil}`],
    ["a dot in the middle, behind one that counts for nothing", [{ name: "./a/./b" }], "a/./b"],
    ["only dots behind a dot", [{ name: "./.." }], ".."],
    ["a name in two spellings", [file, { name: "./f", content: "y" }], "f"],
    ["a name twice", [file, file], "f"],
    ["a file and a folder of one name", [file, { name: "f/" }], "f"],
    ["a path through a file", [file, { name: `f/${evil}` }], `f/${evil}`],
    ["a path through a symlink", [zipLink("l", "/tmp"), { name: `l/${evil}` }], `l/${evil}`],
    [
      "a path through a symlink that comes later",
      [{ name: `l/${evil}` }, zipLink("l", "/tmp")],
      "l",
    ],
    ["a symlink over a file", [file, zipLink("f", `/tmp/${evil}`)], "f"],
    ["a file over a symlink", [zipLink("f", `/tmp/${evil}`), file], "f"],
    [
      "entries that share bytes",
      [file, { name: "g", content: "x", claim: { offset: 0, localName: "f" } }],
      "g",
    ],
  ];
  for (const [title, entries, name] of unsafe) {
    check(`${title} is refused, and nothing is written`, async () => {
      const archive = write(makeZip([{ name: "first", content: "1" }, ...entries]));
      for (const [option] of uses) {
        for (const more of option === "--static" ? [[], ["--cache-static"]] : [[]]) {
          const home = homeOf(way);
          const args = [...more, `${option}=a:${archive}`, "echo", "started"];
          const { status, code, stdout, stderr } = await refused(way, args, home);
          expect({ status, stdout }).toEqual({ status: 125, stdout: "" });
          expect(["E_ARCHIVE_UNSAFE", "E_ARCHIVE_CORRUPT"]).toContain(code);
          expect(stderr).toContain(name);
          const found = await run("find", [home, `/tmp/${evil}`, "-type", "f", "-size", "+0"]);
          expect(found.stdout).toBe("");
        }
      }
    });
  }

  const unusable: [string, ZipEntry[], string][] = [
    ["an encrypted entry", [{ ...file, claim: { flags: 1 } }], "E_ARCHIVE_UNSUPPORTED"],
    ["bzip2", [{ ...file, claim: { method: 12 } }], "E_ARCHIVE_UNSUPPORTED"],
    ["a device", [{ name: "f", mode: 0o020666 }], "E_ARCHIVE_UNSUPPORTED"],
    ["a wrong CRC", [{ ...file, claim: { crc: 1 } }], "E_ARCHIVE_CORRUPT"],
    ["a wrong size", [{ ...file, deflate: true, claim: { size: 1 << 20 } }], "E_ARCHIVE_CORRUPT"],
    [
      "a small size of much",
      [{ name: "f", content: text, deflate: true, claim: { size: 5 } }],
      "E_ARCHIVE_CORRUPT",
    ],
    [
      "another name in the local header",
      [{ ...file, claim: { localName: "g" } }],
      "E_ARCHIVE_CORRUPT",
    ],
    ["an offset outside", [{ ...file, claim: { offset: 1 << 20 } }], "E_ARCHIVE_CORRUPT"],
  ];
  for (const [title, entries, expected] of unusable) {
    check(`${title} is refused: ${expected}`, async () => {
      const archive = write(makeZip([{ name: "first", content: "1" }, ...entries]));
      for (const [option] of uses) {
        const outcome = await refused(way, [option, `a:${archive}`, "echo", "started"]);
        expect(outcome).toMatchObject({ status: 125, code: expected, stdout: "" });
        expect(outcome.stderr).toContain(archive);
      }
    });
  }

  check("a zip file that is cut anywhere is refused", async () => {
    const bytes = makeZip(ordinary);
    for (const part of [0.01, 0.3, 0.6, 0.9, 0.99]) {
      const archive = write(bytes.subarray(0, Math.floor(bytes.length * part)));
      const outcome = await refused(way, ["-s", `a:${archive}`, "echo", "started"]);
      expect(outcome).toMatchObject({ status: 125, code: "E_ARCHIVE_CORRUPT", stdout: "" });
    }
  });

  check("symlinks out of the archive are links, and lead where the caller may go", async () => {
    const links = [
      zipLink("out", "/etc/hostname"),
      zipLink("up", "../".repeat(20) + "etc/hostname"),
    ];
    const archive = write(
      makeZip([...links, { name: "not", content: "x", mode: S_IFLNK | 0o777 }]),
    );
    const script = 'cd "$FUSELAGE_STATIC/a" && readlink out up not && cmp out /etc/hostname';
    const out = await ask(way, ["-s", `a:${archive}`, "sh", "-c", script]);
    expect(out).toBe(`/etc/hostname\n${"../".repeat(20)}etc/hostname\nx\n`);
  });
});
