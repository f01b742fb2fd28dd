/*
 * Runs a command under a filter of system calls, as a hardened kernel, a container or a service
 * manager has one: refuse-calls UID GID COMMAND ARG...
 *
 * REFUSE_CALLS are the names, with commas between them; unshare where it is not set. REFUSE_BY is
 * what happens to whoever calls one: errno (EPERM, where it is not set), kill, thread or trap. UID 0
 * stays root. The filter is installed as root and without no_new_privs, so that setuid programs
 * still work.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CALL(name) { #name, SYS_##name }
static const struct {
	const char *name;
	unsigned number;
} calls[] = {
	CALL(unshare), CALL(setns), CALL(mount), CALL(umount2), CALL(pivot_root),
	CALL(chroot), CALL(move_mount), CALL(open_tree), CALL(fsopen), CALL(fsconfig),
	CALL(fsmount), CALL(mount_setattr), CALL(capset), CALL(seccomp), CALL(keyctl),
};

static const struct {
	const char *name;
	unsigned verdict;
} actions[] = {
	{ "errno", SECCOMP_RET_ERRNO | EPERM },
	{ "kill", SECCOMP_RET_KILL_PROCESS },
	{ "thread", SECCOMP_RET_KILL_THREAD },
	{ "trap", SECCOMP_RET_TRAP },
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Two instructions for each name; returns how many, or -1 for an unknown one. */
static int refuse(struct sock_filter *code, char *names, unsigned verdict)
{
	int length = 0;

	for (char *name = strtok(names, ","); name; name = strtok(NULL, ",")) {
		size_t i = 0;
		while (i < COUNT(calls) && strcmp(calls[i].name, name) != 0)
			i++;
		if (i == COUNT(calls))
			return -1;
		code[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
							      calls[i].number, 0, 1);
		code[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, verdict);
	}
	return length;
}

static unsigned verdict_of(const char *name)
{
	for (size_t i = 0; i < COUNT(actions); i++)
		if (strcmp(actions[i].name, name) == 0)
			return actions[i].verdict;
	return SECCOMP_RET_ALLOW;
}

int main(int argc, char **argv)
{
	const char *by = getenv("REFUSE_BY"), *which = getenv("REFUSE_CALLS");
	unsigned verdict = verdict_of(by ? by : "errno");
	struct sock_filter code[2 * COUNT(calls) + 2] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	};
	char names[400];

	snprintf(names, sizeof names, "%s", which ? which : "unshare");
	int length = refuse(code + 1, names, verdict);
	if (argc < 4 || length < 0 || verdict == SECCOMP_RET_ALLOW)
		return 2;
	code[1 + length] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog program = { (unsigned short)(length + 2), code };
	gid_t gid = (gid_t)atoi(argv[2]);
	uid_t uid = (uid_t)atoi(argv[1]);
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0 ||
	    setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0) {
		perror("refuse-calls");
		return 1;
	}
	execvp(argv[3], argv + 3);
	perror(argv[3]);
	return 127;
}
