import { execFileSync } from "node:child_process";
import { expect } from "vitest";
import type { AppCase } from "../../../support/app.ts";
import { writeFiles } from "../../../support/case.ts";

const main = `
#include <dlfcn.h>
#include <stdio.h>
int main(void)
{
	void *plugin = dlopen("libplugin.so", RTLD_NOW);
	if (!plugin)
		return puts(dlerror()), 1;
	int (*answer)(void) = (int (*)(void))dlsym(plugin, "answer");
	printf("%d\\n", answer());
	return 0;
}
`;

/** No DT_NEEDED says so, --lib does; the plugin needs a library of its own. */
export default {
  needs: ["gcc"],
  make(dir) {
    writeFiles(dir, {
      "main.c": main,
      "plugin.c": "int deep(void); int answer(void) { return deep() + 2; }\n",
      "deep.c": "int deep(void) { return 40; }\n",
      "app/lib/": { folder: true },
    });
    const gcc = (...args: string[]) => execFileSync("gcc", args, { cwd: dir });
    gcc("-shared", "-fPIC", "-Wl,-soname,libdeep.so.1", "-o", "libdeep.so.1", "deep.c");
    const rpath = "-Wl,-rpath,$ORIGIN";
    gcc("-shared", "-fPIC", rpath, "-o", "libplugin.so", "plugin.c", "./libdeep.so.1");
    gcc("-no-pie", "main.c", "-o", "app/opener", "-ldl");
    return ["app", "--lib", "./libplugin.so"];
  },
  async check({ run }) {
    expect(await run()).toMatchObject({ stdout: "42\n", status: 0 });
  },
} satisfies AppCase;
