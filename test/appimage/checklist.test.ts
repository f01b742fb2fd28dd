/** What every reader of AppImages relies on, line by line of the checklist. */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { renderIcon } from "../../builder/appimage/icon.ts";
import {
  buildSample,
  desktopEntry,
  headersOf,
  png,
  refused,
  sample,
  sampleDir,
  svg,
  unpacked,
} from "../support/appdir.ts";
import { type Files, writeFiles } from "../support/case.ts";
import { makeElf } from "../support/elf.ts";
import { snapshot } from "../support/image.ts";
import { skipUnless } from "../support/needs.ts";
import { bundle, run } from "../support/process.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const tool: Files = { "app/bin/my-tool": "#!/bin/sh\nexit 0\n" };
const info = "zsync|https://example.org/out.AppImage.zsync";

describe("line 1: the ELF header", () => {
  test.each(["x86_64", "aarch64"])("is marked as type 2 with EI_OSABI 0 (%s)", async (arch) => {
    const head = readFileSync(await buildSample(sample(), ["--arch", arch])).subarray(0, 16);
    expect(head.toString("hex", 0, 7)).toBe("7f454c46020101");
    expect([head[7], ...head.subarray(8, 11)]).toEqual([0, 0x41, 0x49, 0x02]);
  });

  test("is marked by the name of OUT, unless --format says otherwise", async () => {
    const dir = sample();
    for (const [name, more, marked] of [
      ["out.run", [], false],
      ["out", ["--format", "appimage"], true],
      ["x.AppImage", ["--format", "run"], false],
    ] as const) {
      const outcome = await bundle(["build", sampleDir, "-o", name, ...more], { cwd: dir });
      expect(outcome).toMatchObject({ status: 0 });
      const { elf } = await headersOf(path.join(dir, name));
      expect([name, elf.appImageType]).toEqual([name, marked ? 2 : undefined]);
    }
  });

  skipUnless("file")("is what file(1) calls a program of the right machine", async () => {
    const dir = sample();
    for (const [arch, words] of [
      ["x86_64", "x86-64"],
      ["aarch64", "ARM aarch64"],
    ] as const) {
      const { stdout } = await run("file", ["-b", await buildSample(dir, ["--arch", arch])]);
      expect(stdout).toMatch(`ELF 64-bit LSB executable, ${words}`);
      expect(stdout).not.toMatch(/missing|corrupt|too large/);
    }
  });
});

describe("line 2: the section header table", () => {
  test.each(["x86_64", "aarch64"])("is last and ends at the image (%s)", async (arch) => {
    const file = await buildSample(sample(), ["--arch", arch]);
    const { elf, offset } = await headersOf(file);
    const { sectionTable } = elf;
    expect(sectionTable.offset + sectionTable.entryBytes * sectionTable.count).toBe(offset);
    expect(readFileSync(file).toString("latin1", offset, offset + 4)).toBe("hsqs");
    expect(elf.sections.map(({ name }) => name)).toContain(".text");
  });

  test("belongs to segments that are aligned to 64 KiB on aarch64", async () => {
    const bytes = readFileSync(await buildSample(sample(), ["--arch", "aarch64"]));
    const [start, size] = [Number(bytes.readBigUInt64LE(32)), bytes.readUInt16LE(54)];
    const headers = Array.from({ length: bytes.readUInt16LE(56) }, (_, i) => start + i * size);
    const loads = headers.filter((at) => bytes.readUInt32LE(at) === 1);
    expect(loads.length).toBeGreaterThan(0);
    for (const at of loads) expect(Number(bytes.readBigUInt64LE(at + 48)) % 65536).toBe(0);
  });
});

test("line 3: the sections for update information, signature, key and digest are there", async () => {
  const { elf } = await headersOf(await buildSample(sample()));
  const sizes = Object.fromEntries(elf.sections.map(({ name, size }) => [name, size]));
  expect(sizes).toMatchObject({
    ".upd_info": 1024,
    ".sha256_sig": 1024,
    ".sig_key": 8192,
    ".digest_md5": 16,
  });
});

test("line 4: the smallest app gives a file of at least 100 KiB", async () => {
  expect(statSync(await buildSample(sample())).size).toBeGreaterThanOrEqual(100 << 10);
});

describe("line 5: the image", () => {
  skipUnless("unsquashfs")("is zstd, or gzip when asked, as unsquashfs reads it", async () => {
    const dir = sample();
    for (const [args, codec] of [
      [[], "zstd"],
      [["--compression", "gzip"], "gzip"],
    ] as const) {
      const file = await buildSample(dir, args);
      const { offset } = await headersOf(file);
      const { stdout } = await run("unsquashfs", ["-s", "-o", `${offset}`, file]);
      expect(stdout).toContain(`Compression ${codec}`);
      const names = readdirSync(path.join(dir, sampleDir)).sort();
      expect(readdirSync(await unpacked(file)).sort()).toEqual(names);
    }
  });

  skipUnless("loop", "unsquashfs")("is what the kernel shows at its offset", async () => {
    const file = await buildSample(sample());
    const { offset } = await headersOf(file);
    const place = temporaryDirectory();
    execFileSync("mount", ["-t", "squashfs", "-o", `ro,loop,offset=${offset}`, file, place]);
    try {
      expect(snapshot(place)).toEqual(snapshot(await unpacked(file)));
    } finally {
      execFileSync("umount", [place]);
    }
  });
});

describe("line 6: the AppDir", () => {
  skipUnless("unsquashfs")("is taken as it is when it is whole", async () => {
    const dir = sample();
    const before = snapshot(path.join(dir, sampleDir));
    const file = await buildSample(dir);
    expect(snapshot(path.join(dir, sampleDir))).toEqual(before);
    const root = await unpacked(file);
    expect(readdirSync(root).sort()).toEqual(readdirSync(path.join(dir, sampleDir)).sort());
    for (const name of readdirSync(root)) {
      const original = readFileSync(path.join(dir, sampleDir, name));
      expect([name, readFileSync(path.join(root, name)).equals(original)]).toEqual([name, true]);
    }
    expect((await run(file, ["a", "b c"])).stdout).toBe("sample: a b c\n");
  });

  skipUnless(
    "unsquashfs",
    "desktopFileValidate",
    "appstreamcli",
  )("is made of any app, with a desktop entry and metadata that the checkers take", async () => {
    const dir = temporaryDirectory();
    writeFiles(dir, { ...tool, "icon.svg": svg });
    const before = snapshot(path.join(dir, "app"));
    const texts = ["--name", "My Tool", "--app-id", "org.example.Tool", "--summary", "A & B"];
    const menu = ["--icon", "icon.svg", "--categories", "Game;LogicGame;X-Mine"];
    const line = ["build", "app", "-o", "T.AppImage", ...texts, ...menu];
    expect(await bundle(line, { cwd: dir })).toMatchObject({ status: 0, stderr: "" });
    expect(snapshot(path.join(dir, "app"))).toEqual(before);

    const root = await unpacked(path.join(dir, "T.AppImage"));
    const desktop = path.join(root, "org.example.Tool.desktop");
    expect(readFileSync(desktop, "utf8")).toBe(
      "[Desktop Entry]\nType=Application\nName=My Tool\nExec=my-tool\nIcon=org.example.Tool\n" +
        "Categories=Game;LogicGame;X-Mine;\nTerminal=false\n",
    );
    const checked = await run("desktop-file-validate", [desktop]);
    expect(checked).toMatchObject({ status: 0, stdout: "" });
    const metainfo = path.join(root, "usr/share/metainfo/org.example.Tool.metainfo.xml");
    const validated = await run("appstreamcli", ["validate", "--no-net", metainfo]);
    expect(validated).toMatchObject({ status: 0 });
    expect(readFileSync(path.join(root, "org.example.Tool.svg"), "utf8")).toBe(svg);
    const dirIcon = readFileSync(path.join(root, ".DirIcon"));
    expect(dirIcon.toString("hex", 0, 8)).toBe("89504e470d0a1a0a");
    expect([dirIcon.readUInt32BE(16), dirIcon.readUInt32BE(20)]).toEqual([256, 256]);
    expect(statSync(path.join(root, "AppRun")).mode & 0o777).toBe(0o755);
  });

  skipUnless("unsquashfs")("takes its desktop entry from --desktop", async () => {
    const dir = temporaryDirectory();
    const entry = desktopEntry.replace("Icon=sample", "Icon=other");
    writeFiles(dir, { ...tool, "org.x.desktop": entry, "any.png": png });
    const more = ["--desktop", "org.x.desktop", "--icon", "any.png"];
    const outcome = await bundle(["build", "app", "-o", "x.AppImage", ...more], { cwd: dir });
    expect(outcome).toMatchObject({ status: 0, stderr: "" });
    const root = await unpacked(path.join(dir, "x.AppImage"));
    expect(readFileSync(path.join(root, "org.x.desktop"), "utf8")).toBe(entry);
    expect(readFileSync(path.join(root, "other.png")).equals(png)).toBe(true);
  });

  skipUnless("unsquashfs")("has an AppRun that does what the bundle does", async () => {
    const dir = temporaryDirectory();
    const script = '#!/bin/sh\necho "$0|$A|${B-none}|$*" | sed "s,$FUSELAGE_BUNDLE_DIR,DIR,g"\n';
    writeFiles(dir, { "app/bin/it's": script });
    const given = ["--arg=it's", "--arg=${FUSELAGE_BUNDLE_DIR}/x y", "--unset-env", "B"];
    const env = ["--env", "A=$(false) `false` ${FUSELAGE_BUNDLE_DIR}"];
    const line = ["build", "app", "-o", "a b.AppImage", ...given, ...env];
    expect(await bundle(line, { cwd: dir })).toMatchObject({ status: 0 });
    const file = path.join(dir, "a b.AppImage");
    const expected = "DIR/bin/it's|$(false) `false` DIR|none|it's DIR/x y last\n";
    for (const start of [file, path.join(await unpacked(file), "AppRun")]) {
      expect((await run(start, ["last"], { env: { B: "b" } })).stdout).toBe(expected);
    }
  });

  skipUnless("unsquashfs")("gets entry and icon from where programs install theirs", async () => {
    const dir = sample({
      "sample.desktop": null,
      "sample.png": null,
      ".DirIcon": null,
      "usr/share/applications/sample.desktop": desktopEntry,
      "usr/share/icons/hicolor/16x16/apps/sample.png": "not the best",
      "usr/share/icons/hicolor/128x128/apps/sample.png": png,
    });
    const root = await unpacked(await buildSample(dir));
    expect(readFileSync(path.join(root, "sample.png")).equals(png)).toBe(true);
    expect(readFileSync(path.join(root, ".DirIcon")).equals(png)).toBe(true);
    expect(readFileSync(path.join(root, "sample.desktop"), "utf8")).toBe(desktopEntry);
  });

  skipUnless("unsquashfs")("gets an AppRun for what its desktop entry starts", async () => {
    const dir = sample({ AppRun: null, "usr/bin/sample": '#!/bin/sh\necho "usr: $*"\n' });
    const file = await buildSample(dir);
    for (const start of [file, path.join(await unpacked(file), "AppRun")]) {
      expect((await run(start, ["x"])).stdout).toBe("usr: x\n");
    }
  });

  skipUnless("unsquashfs")("has no icon larger than themes have", async () => {
    const dir = temporaryDirectory();
    const large = await renderIcon(Buffer.from(svg), "large.svg", 1500);
    writeFiles(dir, { ...tool, "large.png": large });
    const line = ["build", "app", "-o", "x.AppImage", "--icon", "large.png"];
    expect(await bundle(line, { cwd: dir })).toMatchObject({ status: 0 });
    const root = await unpacked(path.join(dir, "x.AppImage"));
    const icon = readFileSync(path.join(root, "app.png"));
    expect([icon.readUInt32BE(16), icon.readUInt32BE(20)]).toEqual([512, 512]);
    expect(readFileSync(path.join(root, ".DirIcon")).equals(icon)).toBe(true);
  });
});

describe("line 8: update information", () => {
  test("stands in .upd_info, padded with zeros, and the .zsync file beside OUT", async () => {
    const file = await buildSample(sample(), ["--update-info", info]);
    const { elf } = await headersOf(file);
    const { offset = 0, size = 0 } = elf.sections.find(({ name }) => name === ".upd_info") ?? {};
    const bytes = readFileSync(file).subarray(offset, offset + size);
    expect(bytes.toString("latin1")).toBe(info.padEnd(1024, "\0"));
    const control = readFileSync(`${file}.zsync`, "latin1");
    expect(control).toMatch(/^zsync: 0\.6\.2\nFilename: out\.AppImage\n/);
    const { stdout } = await bundle(["inspect", file, "--json"]);
    expect(JSON.parse(stdout)).toMatchObject({
      kind: "bundle",
      appImage: { type: 2, updateInfo: info, desktopFiles: ["sample.desktop"] },
      signed: false,
    });
  });

  test("is zeros without --update-info, and there is no .zsync file", async () => {
    const dir = sample();
    const file = await buildSample(dir);
    const { elf } = await headersOf(file);
    for (const name of [".upd_info", ".sha256_sig", ".sig_key"]) {
      const { offset = 0, size = 0 } = elf.sections.find((one) => one.name === name) ?? {};
      const bytes = readFileSync(file).subarray(offset, offset + size);
      expect(bytes.every((byte) => byte === 0)).toBe(true);
    }
    expect(readdirSync(dir).sort()).toEqual([sampleDir, "out.AppImage"].sort());
  });

  test("of an earlier build is not left to describe this one unseen", async () => {
    const dir = sample();
    await buildSample(dir, ["--update-info", info]);
    const line = ["build", sampleDir, "-o", "out.AppImage"];
    const { status, stderr } = await bundle(line, { cwd: dir });
    expect(status).toBe(0);
    expect(stderr).toContain("warning: out.AppImage.zsync describes another build; remove it");
  });

  test("needs a place for the .zsync file before anything is written", async () => {
    const dir = sample();
    writeFiles(dir, { "out.AppImage.zsync": { folder: true } });
    const { stderr } = await refused(dir, "E_OUTPUT_DIRECTORY", ["--update-info", info]);
    expect(stderr).toContain("out.AppImage.zsync");
  });

  test("is guessed from the variables of the CI when asked", async () => {
    const env = { GITHUB_REPOSITORY: "me/it", GITHUB_REF_TYPE: "tag", GITHUB_REF_NAME: "v1" };
    const args = ["--update-info", "guess", "--name", "My App", "--arch", "aarch64"];
    const file = await buildSample(sample(), args, { env });
    const { stdout } = await bundle(["inspect", file, "--json"]);
    const { updateInfo } = JSON.parse(stdout).appImage;
    expect(updateInfo).toBe("gh-releases-zsync|me|it|latest|My_App*-aarch64.AppImage.zsync");
  });
});

test("a configuration file says what the command line says", async () => {
  const config = {
    format: "appimage",
    icon: "assets/icon.svg",
    categories: ["Game", "LogicGame"],
    terminal: true,
    updateInfo: info,
    exclude: ["assets"],
  };
  const dir = temporaryDirectory();
  const text = JSON.stringify(config);
  writeFiles(dir, { ...tool, "app/assets/icon.svg": svg, "app/bundle.config.json": text });
  expect(await bundle(["build", "app", "-o", "x"], { cwd: dir })).toMatchObject({ status: 0 });
  const { stdout } = await bundle(["inspect", "x", "--json", "--list"], { cwd: dir });
  const shown = JSON.parse(stdout);
  expect(shown.appImage).toMatchObject({ type: 2, updateInfo: info });
  const names = shown.entries.map((entry: { path: string }) => entry.path);
  const made = [".DirIcon", "AppRun", "app.desktop", "app.svg"];
  expect(names).toEqual(["", ...made, "bin", "bin/my-tool"]);
});

describe("what an AppDir leaves to the target is a warning:", () => {
  skipUnless("gcc")("libraries that are on this machine, and those that are not", async () => {
    const dir = sample();
    writeFiles(dir, {
      "gone.c": "int gone(void) { return 0; }\n",
      "main.c": "int gone(void);\nint main(void) { return gone(); }\n",
    });
    const gcc = (...args: string[]) => execFileSync("gcc", args, { cwd: dir });
    gcc("-shared", "-fPIC", "-Wl,-soname,libgone.so.1", "-o", "libgone.so.1", "gone.c");
    const libraries = ["libgone.so.1", "-Wl,--no-as-needed", "-lz"];
    gcc("-o", path.join(sampleDir, "tool"), "main.c", ...libraries);
    const outcome = await bundle(["build", sampleDir, "-o", "x.AppImage"], { cwd: dir });
    expect(outcome.status).toBe(0);
    expect(outcome.stderr).toContain("warning: tool needs libgone.so.1, which is neither here nor");
    expect(outcome.stderr).toContain("warning: the target must have libz.so.1; --with-libs packs");
  });

  test("programs for other machines beside those for the right one", async () => {
    const dir = sample({ "1.so": makeElf({ machine: 62 }), "2.so": makeElf({ machine: 183 }) });
    const line = ["build", sampleDir, "-o", "x.AppImage", "--arch", "x86_64"];
    const { status, stderr } = await bundle(line, { cwd: dir });
    expect(status).toBe(0);
    expect(stderr).toContain("warning: 2.so is for aarch64, the AppImage for x86_64");
  });
});

describe("what only an optional checker says", () => {
  /** A program of that name that prints these lines and ends so. */
  function checker(lines: string, status: number): Record<string, string> {
    const bin = temporaryDirectory();
    const text = `#!/bin/sh\ncat <<'X'\n${lines}\nX\nexit ${status}\n`;
    writeFileSync(path.join(bin, "appstreamcli"), text, { mode: 0o755 });
    return { PATH: `${bin}:${process.env["PATH"]}` };
  }
  const metainfo = '<component type="desktop-application"><id>org.example.x</id></component>\n';
  const files = { "usr/share/metainfo/sample.appdata.xml": metainfo };
  const build = (env: Record<string, string>) =>
    bundle(["build", sampleDir, "-o", "x.AppImage"], { cwd: sample(files), env });

  test.each([
    ["a warning, and a status for it", "W: org.example.x:3: developer-info-missing", 3],
    ["a warning", "W: org.example.x:3: developer-info-missing", 0],
  ])("%s: the build says so, and goes on", async (_, lines, status) => {
    const outcome = await build(checker(`${lines}\nI: org.example.x:~: a-remark`, status));
    expect(outcome.status).toBe(0);
    expect(outcome.stderr).toContain(
      "warning: appstreamcli: org.example.x:3: developer-info-missing",
    );
    expect(outcome.stderr).not.toContain("a-remark");
  });

  test("an error is refused with its words, not with those of warnings", async () => {
    const lines = "W: org.example.x:3: a-warning\nE: org.example.x:~: no-name";
    const { status, stderr } = await build(checker(lines, 3));
    expect(status).toBe(1);
    expect(stderr).toContain("[E_APPSTREAM_INVALID]");
    expect(stderr).toContain("no-name");
    expect(stderr).not.toContain("a-warning");
  });
});

test("the same AppDir gives the same bytes", async () => {
  const args = ["--update-info", info];
  const first = await buildSample(sample(), [...args, "--threads", "1"]);
  const env = { TZ: "Asia/Tokyo" };
  const second = await buildSample(sample(), [...args, "--threads", "3"], { env });
  expect(readFileSync(first).equals(readFileSync(second))).toBe(true);
  expect(readFileSync(`${first}.zsync`).equals(readFileSync(`${second}.zsync`))).toBe(true);
});
