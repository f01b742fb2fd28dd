import { execFileSync } from "node:child_process";
import { appendFileSync, mkdirSync, statSync } from "node:fs";
import path from "node:path";
import { expect } from "vitest";
import type { AppCase } from "../../../support/app.ts";
import { writeFiles } from "../../../support/case.ts";

const main = `
#include <stdio.h>
#include <string.h>
int answer(void);
int main(void)
{
	char magic[9] = "", text[6] = "";
	long at = 0;
	FILE *self = fopen("/proc/self/exe", "rb");
	fseek(self, -16, SEEK_END);
	fread(magic, 1, 8, self);
	fread(&at, 8, 1, self);
	fseek(self, at, SEEK_SET);
	fread(text, 1, 5, self);
	printf("%d %s %s\\n", answer(), magic, text);
	return 0;
}
`;

/** As deno, pkg and others do it: a mark at the end of the file says where the script is, from its start. */
export default {
  needs: ["gcc"],
  make(dir) {
    writeFiles(dir, { "main.c": main, "answer.c": "int answer(void) { return 42; }\n" });
    mkdirSync(path.join(dir, "built"));
    const gcc = (...args: string[]) => execFileSync("gcc", args, { cwd: dir });
    const soname = "-Wl,-soname,libanswer.so.1";
    gcc("-shared", "-fPIC", soname, "-o", "built/libanswer.so.1", "answer.c");
    gcc("main.c", "built/libanswer.so.1", `-Wl,-rpath,${dir}/built`, "-o", "compiled");
    const program = path.join(dir, "compiled");
    const trailer = Buffer.from("d3n0like........");
    trailer.writeBigUInt64LE(BigInt(statSync(program).size), 8);
    appendFileSync(program, Buffer.concat([Buffer.from("run()"), trailer]));
    return ["compiled", "--with-libs"];
  },
  async check({ run }) {
    expect(await run()).toMatchObject({ stdout: "42 d3n0like run()\n", stderr: "", status: 0 });
  },
} satisfies AppCase;
