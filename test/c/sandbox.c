/*
 * Goes into the FUSE server's sandbox, or into the holder's, and tries one thing.
 *
 *   sandbox [holder] WHAT
 *
 * Prints what came of it, if it lives to tell and may. WHAT names an entry of `attempts`; "list"
 * prints the names, those that must kill the process first, then an empty line, then those that must
 * not.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "process/sandbox.h"

static long try_open(void)
{
	return open("/dev/null", O_RDONLY);
}
static long try_socket(void)
{
	return socket(AF_INET, SOCK_STREAM, 0);
}
static long try_exec(void)
{
	return execl("/bin/true", "true", NULL);
}
static long try_fork(void)
{
	return syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}
static long try_namespace(void)
{
	return syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
}
static long try_kill(void)
{
	return kill(getppid(), 0);
}
static long try_ioctl(void)
{
	return ioctl(1, FIONREAD, &errno);
}
static long try_ptrace(void)
{
	return ptrace(PTRACE_TRACEME, 0, 0, 0);
}
static long try_setuid(void)
{
	return syscall(SYS_setuid, 0);
}
static long try_dup(void)
{
	return dup(1);
}
static long try_send(void)
{
	return send(1, "x", 1, 0);
}
static long try_close(void)
{
	return close(1);
}
static long try_prctl(void)
{
	return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}
static long try_limit(void)
{
	struct rlimit r;
	return prlimit(getppid(), RLIMIT_CORE, NULL, &r);
}
static long try_code(void)
{
	return (long)mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}
static long try_protect(void)
{
	void *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return mprotect(page, 4096, PROT_READ | PROT_EXEC);
}
static void *thread(void *argument)
{
	*(int *)argument = 1;
	return NULL;
}
static long start_thread(void)
{
	pthread_t id;
	int ran = 0;
	if (pthread_create(&id, NULL, thread, &ran) != 0)
		return -1;
	pthread_join(id, NULL);
	return ran - 1;
}
static long try_late_thread(void)
{
	sandbox_no_more_threads();
	return start_thread();
}
static long try_filter(void)
{
	sandbox_no_more_threads();
	return syscall(SYS_seccomp, 0, 0, NULL);
}
static long use_memory(void)
{
	size_t size = 64;
	char *memory = NULL;
	for (int i = 0; i < 20; i++, size *= 2) {
		memory = realloc(memory, size);
		if (!memory)
			return -1;
		memset(memory, i, size);
	}
	free(memory);
	return 0;
}
static long use_device(void)
{
	struct iovec part = { "", 0 };
	struct timespec now;
	char byte;
	return read(1, &byte, 0) < 0 && errno != EBADF	    ? -1 :
	       pread(0, &byte, 1, 0) < 0 && errno != ESPIPE ? -1 :
	       writev(1, &part, 1) < 0			    ? -1 :
							      clock_gettime(CLOCK_MONOTONIC, &now);
}
static long try_read(void)
{
	char byte;
	return read(0, &byte, 1);
}
static long try_receive(void)
{
	char byte;
	return recv(0, &byte, 1, 0);
}
static long try_connect(void)
{
	return connect(0, NULL, 0);
}
static long call_lock(int command)
{
	struct flock lock = { .l_type = F_WRLCK, .l_len = 1 };
	return fcntl(0, command, &lock);
}
static long try_lock(void)
{
	return call_lock(F_SETLK);
}
static long try_lock_of_file(void)
{
	return call_lock(F_OFD_SETLK);
}
static long try_dup_by_fcntl(void)
{
	return fcntl(1, F_DUPFD, 0);
}
static long try_mount(void)
{
	return syscall(SYS_mount, 0, 0, 0, 0, 0);
}
static long try_attach(void)
{
	return syscall(SYS_move_mount, -1, "", -1, "", 0);
}
static long try_unmount(void)
{
	return syscall(SYS_umount2, "/", 0);
}
static long try_root(void)
{
	return chroot("/");
}
static long try_join(void)
{
	return syscall(SYS_setns, 0, 0);
}
static long try_kernel_log(void)
{
	return syscall(SYS_syslog, 0, 0, 0);
}
static long ask_lock(void)
{
	return call_lock(F_GETLK) < 0 && errno != EBADF ? -1 : 0;
}
static long hear(void)
{
	struct pollfd none = { .fd = -1 };
	int size = 0;
	syscall(SYS_accept4, 0, NULL, NULL, SOCK_CLOEXEC);
	getsockopt(0, SOL_SOCKET, SO_TYPE, &size, (socklen_t *)&size);
	return poll(&none, 1, 1);
}
static long give(void)
{
	struct msghdr none = { 0 };
	struct stat st;
	syscall(SYS_open_tree, -1, "", 0);
	syscall(SYS_pidfd_open, 1, 0);
	sendmsg(0, &none, MSG_NOSIGNAL);
	syscall(SYS_fstat, 0, &st);
	return close(0);
}
struct attempt {
	const char *name;
	long (*attempt)(void);
	int lives;
};
static const struct attempt of_holder[] = {
	{ "open a file", try_open, 0 },
	{ "make a socket", try_socket, 0 },
	{ "connect one", try_connect, 0 },
	{ "read", try_read, 0 },
	{ "receive", try_receive, 0 },
	{ "take a lock", try_lock, 0 },
	{ "take a lock for all who have the file", try_lock_of_file, 0 },
	{ "duplicate a descriptor", try_dup, 0 },
	{ "duplicate a descriptor in another way", try_dup_by_fcntl, 0 },
	{ "mount", try_mount, 0 },
	{ "attach a mount", try_attach, 0 },
	{ "unmount", try_unmount, 0 },
	{ "change the root", try_root, 0 },
	{ "join a namespace", try_join, 0 },
	{ "make a namespace", try_namespace, 0 },
	{ "read the kernel's log", try_kernel_log, 0 },
	{ "run a program", try_exec, 0 },
	{ "fork", try_fork, 0 },
	{ "signal the parent", try_kill, 0 },
	{ "control a device", try_ioctl, 0 },
	{ "trace", try_ptrace, 0 },
	{ "change the user", try_setuid, 0 },
	{ "be dumpable again", try_prctl, 0 },
	{ "read another process's limits", try_limit, 0 },
	{ "map code", try_code, 0 },
	{ "ask for a lock", ask_lock, 1 },
	{ "wait and hear", hear, 1 },
	{ "give", give, 1 },
};
static const struct attempt of_server[] = {
	{ "open a file", try_open, 0 },
	{ "make a socket", try_socket, 0 },
	{ "run a program", try_exec, 0 },
	{ "fork", try_fork, 0 },
	{ "make a namespace", try_namespace, 0 },
	{ "signal the parent", try_kill, 0 },
	{ "control a device", try_ioctl, 0 },
	{ "trace", try_ptrace, 0 },
	{ "change the user", try_setuid, 0 },
	{ "duplicate a descriptor", try_dup, 0 },
	{ "send a message", try_send, 0 },
	{ "close a descriptor", try_close, 0 },
	{ "be dumpable again", try_prctl, 0 },
	{ "read another process's limits", try_limit, 0 },
	{ "map code", try_code, 0 },
	{ "make memory code", try_protect, 0 },
	{ "start a thread too late", try_late_thread, 0 },
	{ "install a filter too late", try_filter, 0 },
	{ "start a thread", start_thread, 1 },
	{ "use memory", use_memory, 1 },
	{ "read, write and tell the time", use_device, 1 },
};

static void list(const struct attempt *attempts, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (i && attempts[i].lives != attempts[i - 1].lives)
			puts("");
		puts(attempts[i].name);
	}
}

/* The other walls, each as a process sees it that has no filter yet. */
static void print_walls(void)
{
	struct rlimit limit;
	FILE *status;
	char line[256];

	status = fopen("/proc/self/status", "re");
	sandbox_drop_rights(16, 0);
	printf("open: %s\n", open("/dev/null", O_RDONLY) < 0 ? strerror(errno) : "allowed");
	printf("dumpable: %d\n", prctl(PR_GET_DUMPABLE, 0, 0, 0, 0));
	getrlimit(RLIMIT_CORE, &limit);
	printf("core: %lu\n", (unsigned long)limit.rlim_max);
	getrlimit(RLIMIT_FSIZE, &limit);
	printf("file size: %lu\n", (unsigned long)limit.rlim_max);
	getrlimit(RLIMIT_NOFILE, &limit);
	printf("descriptors: %lu\n", (unsigned long)limit.rlim_max);
	while (status && fgets(line, sizeof line, status))
		if (strncmp(line, "Cap", 3) == 0 || strncmp(line, "NoNewPrivs", 10) == 0)
			fputs(line, stdout);
}

static void tell(long result, int error)
{
	char text[64];
	struct iovec part = { text, 0 };

	part.iov_len =
		(size_t)snprintf(text, sizeof text, "%s\n", result < 0 ? strerror(error) : "done");
	(void)!writev(1, &part, 1);
}

int main(int argc, char **argv)
{
	int holder = argc == 3 && strcmp(argv[1], "holder") == 0;
	const struct attempt *attempts = holder ? of_holder : of_server;
	size_t count = holder ? sizeof of_holder / sizeof *of_holder :
				sizeof of_server / sizeof *of_server;

	if (argc != 2 + holder)
		return 2;
	argv += holder;
	if (strcmp(argv[1], "list") == 0) {
		list(attempts, count);
		return 0;
	}
	if (strcmp(argv[1], "walls") == 0) {
		print_walls();
		return 0;
	}
	for (size_t i = 0; i < count; i++) {
		if (strcmp(argv[1], attempts[i].name) != 0)
			continue;
		if (holder) {
			sandbox_holder(4);
		} else {
			sandbox_drop_rights(4, 0);
			sandbox_filter();
		}
		long result = attempts[i].attempt();
		if (!holder)
			tell(result, errno);
		_exit(result < 0);
	}
	return 2;
}
