/** A folder as a build would pack it: programs that start by a libc of their own, which lies beside them. */
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { type OwnLoader, startByOwnLoader } from "../../builder/elf/own-loader.ts";
import { withPrivateVariables } from "../../builder/elf/packed-libc.ts";
import { withoutHostFiles } from "../../builder/elf/packed-loader.ts";
import { root as checkout } from "./process.ts";

const LOADER = "ld-linux-x86-64.so.2";
/** What programs of these tests need of the libc and of C++. */
const LIBRARIES = [
  ...["libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "libresolv.so.2", "librt.so.1"],
  ...["libgcc_s.so.1", "libstdc++.so.6", "libtinfo.so.6"],
];

/** Compiles a source of test/support or a text, by the system's compiler. */
export function compileProgram(source: string, output: string, flags: readonly string[] = []) {
  const file = source.includes("\n") ? `${output}.c` : path.join(checkout, "test/support", source);
  if (file === `${output}.c`) writeFileSync(file, source);
  const compiler = file.endsWith(".cc") ? "g++" : "gcc";
  execFileSync(compiler, ["-O1", "-Wall", "-o", output, file, ...flags]);
  return output;
}

export class PackedTree {
  readonly root: string;

  /** Makes the folder with the libc of this machine, `lib/libc`. */
  static async make(root: string): Promise<PackedTree> {
    const tree = new PackedTree(root);
    const folder = path.join(root, "lib/libc");
    mkdirSync(path.join(folder, "gconv"), { recursive: true });
    mkdirSync(path.join(root, "bin"));
    for (const name of [LOADER, ...LIBRARIES]) {
      const from = hostLibrary(name);
      const to = path.join(folder, name);
      writeFileSync(to, await changed(name, readFileSync(from)), { mode: 0o755 });
    }
    const gconv = path.join(path.dirname(hostLibrary("libc.so.6")), "gconv");
    for (const name of ["ISO8859-1.so", "UTF-16.so"]) {
      writeFileSync(path.join(folder, "gconv", name), readFileSync(path.join(gconv, name)));
    }
    const modules = [
      "module ISO-8859-1// INTERNAL ISO8859-1 1",
      "module INTERNAL ISO-8859-1// ISO8859-1 1",
      "module UTF-16BE// INTERNAL UTF-16 1",
      "module INTERNAL UTF-16BE// UTF-16 1",
    ];
    writeFileSync(path.join(folder, "gconv/gconv-modules"), `${modules.join("\n")}\n`);
    execFileSync("cp", ["-r", "/usr/lib/locale", path.join(folder, "locale")]);
    return tree;
  }

  private constructor(root: string) {
    this.root = root;
  }

  /** Puts a program to `to` below the root, and returns its path. */
  async add(program: string, to: string, given: Partial<OwnLoader> = {}): Promise<string> {
    const own: OwnLoader = {
      libc: "glibc",
      root: to.split("/").length - 1,
      loader: `lib/libc/${LOADER}`,
      libraries: ["lib/libc"],
      gconv: "lib/libc/gconv",
      locale: "lib/libc/locale",
      mode: "pack",
      versions: ["GLIBC_2.34"],
      ...given,
    };
    const file = path.join(this.root, to);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, await startByOwnLoader(readFileSync(program), own, program));
    chmodSync(file, 0o755);
    return file;
  }
}

function changed(name: string, bytes: Buffer): Buffer | Promise<Buffer> {
  if (name === LOADER) return withoutHostFiles(bytes, name);
  return name === "libc.so.6" ? withPrivateVariables(bytes, name) : bytes;
}

/** Where this machine has a library. */
export function hostLibrary(name: string): string {
  const file = execFileSync("gcc", [`-print-file-name=${name}`], { encoding: "utf8" }).trim();
  return path.resolve(file);
}

/** Lines of `name value`. */
export function answersOf(stdout: string): Record<string, string> {
  const lines = stdout.split("\n").filter((line) => line.includes(" "));
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(" ")), line.slice(line.indexOf(" ") + 1)]),
  );
}
