import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import path from "node:path";
import { expect } from "vitest";
import type { AppCase } from "../../../support/app.ts";
import { writeFiles } from "../../../support/case.ts";
import { minimalRoot } from "../../../support/minimal-root.ts";
import { ordinaryUser } from "../../../support/process.ts";

const library = `
#include <stdexcept>
#include <string>
std::string shout(const std::string &text)
{
	if (text.empty())
		throw std::invalid_argument("nothing to shout");
	return text + "!";
}
`;

const program = `
#include <cstdlib>
#include <exception>
#include <iostream>
#include <string>
#include <unistd.h>
std::string shout(const std::string &text);
int main(int argc, char **argv)
{
	char self[4096] = "";
	if (readlink("/proc/self/exe", self, sizeof self - 1) < 0)
		return 9;
	try {
		std::cout << shout(argc > 1 ? argv[1] : "") << std::endl;
	} catch (const std::exception &error) {
		std::cout << "caught: " << error.what() << std::endl;
	}
	const char *path = getenv("LD_LIBRARY_PATH");
	std::cout << (path ? path : "no LD_LIBRARY_PATH") << std::endl << self << std::endl;
	return 0;
}
`;

/** Its own library lies where only the build knows; libstdc++ is the machine's. */
export default {
  needs: ["root", "gcc", "fuse", "userns"],
  make(dir) {
    writeFiles(dir, { "src/shout.cc": library, "src/main.cc": program });
    mkdirSync(path.join(dir, "built/lib"), { recursive: true });
    const gcc = (...args: string[]) => execFileSync("g++", args, { cwd: dir });
    const soname = "-Wl,-soname,libshout.so.2";
    gcc("-shared", "-fPIC", soname, "-o", "built/lib/libshout.so.2", "src/shout.cc");
    gcc("src/main.cc", "built/lib/libshout.so.2", `-Wl,-rpath,${dir}/built/lib`, "-o", "shouter");
    return ["shouter", "--with-libs"];
  },
  says: /^kind: elf \(it is a compiled program\)$/m,
  async check({ file, dir, home, root, command }) {
    const top = path.join(home, root ? "of-root" : "of-user");
    mkdirSync(top);
    const there = minimalRoot(top);
    there.add(file, "/shouter.run");
    there.add(path.join(dir, "shouter"), "/shouter");
    const uid = root ? 0 : ordinaryUser().uid;
    const alone = await there.start("/shouter", uid);
    expect(alone).toMatchObject({ status: 127 });
    expect(alone.stderr).toMatch(/cannot open shared object file/);
    const { stdout, stderr } = await there.start("/shouter.run", uid, ["hello"]);
    expect(stderr).toBe("");
    const [shouted, libraryPath, self] = stdout.split("\n");
    expect([shouted, libraryPath]).toEqual(["hello!", "no LD_LIBRARY_PATH"]);
    // There is no /run here.
    const places = `/tmp/\\.fuselage-${uid}`;
    expect(self).toMatch(new RegExp(`^${places}/[0-9]+/static/shouter/bin/shouter$`));
    expect((await there.start("/shouter.run", uid)).stdout).toMatch(/^caught: nothing to shout$/m);
    // Where the libraries are there too, those in the bundle are still the ones that are loaded.
    const env = { LD_DEBUG: "files", LD_LIBRARY_PATH: path.join(dir, "built/lib") };
    const traced = await command(file, ["x"], { env });
    expect(traced.stderr).toMatch(/calling init: .*\/static\/shouter\/.*libshout\.so\.2/);
    expect(traced.stderr).toMatch(/calling init: .*\/static\/shouter\/.*libstdc\+\+\.so\.6/);
  },
} satisfies AppCase;
