import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import path from "node:path";
import { expect } from "vitest";
import type { AppCase } from "../../../support/app.ts";
import { writeFiles } from "../../../support/case.ts";
import { minimalRoot } from "../../../support/minimal-root.ts";
import { ordinaryUser } from "../../../support/process.ts";

const main = `
#include <execinfo.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <threads.h>
#include <unistd.h>
static void *wait_for_ever(void *unused) { for (;;) pause(); return unused; }
static void *leave(void *value) { pthread_exit(value); }
static int leave_11(void *unused) { (void)unused; thrd_exit(7); }
int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "";
	pthread_t thread;
	void *result = 0;
	if (!strcmp(how, "exit")) {
		pthread_create(&thread, 0, leave, (void *)7);
		pthread_join(thread, &result);
		printf("exit %ld\\n", (long)result);
	} else if (!strcmp(how, "cancel")) {
		pthread_create(&thread, 0, wait_for_ever, 0);
		pthread_cancel(thread);
		pthread_join(thread, &result);
		printf("cancel %d\\n", result == PTHREAD_CANCELED);
	} else if (!strcmp(how, "thrd")) {
		thrd_t one;
		int value = 0;
		thrd_create(&one, leave_11, 0);
		thrd_join(one, &value);
		printf("thrd %d\\n", value);
	} else {
		void *frames[8];
		printf("backtrace %d\\n", backtrace(frames, 8) > 1);
	}
	return 0;
}
`;

/** glibc opens libgcc_s.so.1 itself for all of these; nothing in the program names it. */
export default {
  needs: ["root", "gcc", "fuse", "userns"],
  make(dir) {
    writeFiles(dir, { "main.c": main });
    execFileSync("gcc", ["main.c", "-pthread", "-o", "threads"], { cwd: dir });
    return ["threads", "--with-libs"];
  },
  async check({ file, home, root }) {
    const top = path.join(home, root ? "of-root" : "of-user");
    mkdirSync(top);
    const there = minimalRoot(top);
    there.add(file, "/threads.run");
    const uid = root ? 0 : ordinaryUser().uid;
    for (const [how, said] of [
      ["exit", "exit 7\n"],
      ["cancel", "cancel 1\n"],
      ["thrd", "thrd 7\n"],
      ["backtrace", "backtrace 1\n"],
    ] as const) {
      const outcome = await there.start("/threads.run", uid, [how]);
      expect(outcome).toMatchObject({ stdout: said, stderr: "", status: 0 });
    }
  },
} satisfies AppCase;
