/*
 * enter-root ROOT UID PROGRAM [ARG]...: runs PROGRAM with ROOT as the root of all files.
 *
 * By pivot_root, because in a chroot nobody may make a user namespace, and linked statically, because
 * in ROOT there is next to nothing. /proc and /dev are those of the host.
 */
#define _GNU_SOURCE
#include <grp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

static void check(long result, const char *step)
{
	if (result == 0)
		return;
	perror(step);
	exit(120);
}

int main(int argc, char **argv)
{
	if (argc < 4)
		return 120;
	check(unshare(CLONE_NEWNS), "unshare");
	check(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "private");
	check(mount(argv[1], argv[1], NULL, MS_BIND, NULL), "bind root");
	check(chdir(argv[1]), "chdir");
	check(mount("/proc", "proc", NULL, MS_BIND | MS_REC, NULL), "bind /proc");
	check(mount("/dev", "dev", NULL, MS_BIND | MS_REC, NULL), "bind /dev");
	check(syscall(SYS_pivot_root, ".", "."), "pivot_root");
	check(umount2(".", MNT_DETACH), "umount2");
	check(chdir("/"), "chdir /");
	unsigned id = (unsigned)strtoul(argv[2], NULL, 10);
	check(setgroups(0, NULL), "setgroups");
	check(setresgid(id, id, id), "setresgid");
	check(setresuid(id, id, id), "setresuid");
	execv(argv[3], argv + 3);
	perror(argv[3]);
	return 121;
}
