import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import path from "node:path";
import { expect } from "vitest";
import type { AppCase } from "../../../support/app.ts";
import { writeFiles } from "../../../support/case.ts";
import { minimalRoot } from "../../../support/minimal-root.ts";
import { root as checkout, ordinaryUser } from "../../../support/process.ts";

const addon = `
#include <dlfcn.h>
#include <node_api.h>
int half(void);
static napi_value answer(napi_env env, napi_callback_info info)
{
	(void)info;
	void *plugin = dlopen("libplugin.so.1", RTLD_NOW);
	int (*other)(void) = plugin ? (int (*)(void))dlsym(plugin, "other") : half;
	napi_value value;
	napi_create_int32(env, half() + other(), &value);
	return value;
}
NAPI_MODULE_INIT()
{
	napi_value value;
	napi_create_function(env, "answer", NAPI_AUTO_LENGTH, answer, NULL, &value);
	return value;
}
`;

/** An addon that needs a library and opens another one, on a machine that has a libc and nothing else. */
export default {
  needs: ["root", "gcc", "fuse", "userns"],
  make(dir) {
    writeFiles(dir, {
      "app/package.json": '{ "name": "answer", "version": "1.0.0", "main": "main.js" }',
      "app/main.js": 'console.log(require("./build/answer.node")());\n',
      "addon.c": addon,
      "half.c": "int half(void) { return 20; }\n",
      "plugin.c": "int other(void) { return 22; }\n",
    });
    for (const folder of ["built", "app/build"]) mkdirSync(path.join(dir, folder));
    const gcc = (...args: string[]) => execFileSync("gcc", args, { cwd: dir });
    const library = (name: string, source: string) =>
      gcc("-shared", "-fPIC", `-Wl,-soname,${name}`, "-o", `built/${name}`, source);
    library("libhalf.so.1", "half.c");
    library("libplugin.so.1", "plugin.c");
    const include = path.join(checkout, "node_modules/node-api-headers/include");
    const flags = ["-shared", "-fPIC", "-I", include, `-Wl,-rpath,${dir}/built`];
    gcc(...flags, "-o", "app/build/answer.node", "addon.c", "built/libhalf.so.1");
    return ["app", "--with-libs", "--lib", "./built/libplugin.so.1", "--compression", "zstd:1"];
  },
  says: /^kind: node .*main\.js bundled, run by Node/m,
  async check({ file, home, root }) {
    const top = path.join(home, root ? "of-root" : "of-user");
    mkdirSync(top);
    const there = minimalRoot(top);
    there.add(file, "/answer.run");
    const outcome = await there.start("/answer.run", root ? 0 : ordinaryUser().uid);
    expect(outcome).toMatchObject({ stdout: "42\n", stderr: "", status: 0 });
  },
} satisfies AppCase;
