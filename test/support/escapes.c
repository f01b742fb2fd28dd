/*
 * Tries to get out of a sandbox: escapes VICTIM SECRET WRITABLE. VICTIM is the number of another process of the same
 * user, which listens where listen() below says; SECRET is a file that the rules do not allow, WRITABLE a directory
 * that they do. Prints a line for each attempt: its name, a tab, and "ok" (it worked) or the name of errno.
 *
 * Descriptor 8 is a file and 9 a directory that were open when the sandbox was entered. ESCAPES_SOCKET, _PORT, _SHM,
 * _SET_ID and _TERMINAL name a socket, a port of TCP, a file in /dev/shm, a copy of this program that is set-id root and
 * a terminal.
 *
 * Nothing that works does harm: mounts are of WRITABLE onto itself. As root it wants a filter to be in force.
 *
 * As escapes --victim SOCKET SHM it is that other process: prints its port and its terminal, and goes on until its input
 * ends.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/perf_event.h>
#include <pty.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define MPTCP 262
#define OPEN_TREE_CLONE 1

static pid_t victim;
static const char *secret, *writable;

/* A path of the victim's in /proc, of the secret's neighbour, or below the directory that may be written to. */
static const char *of(const char *base, const char *name)
{
	static char path[4][4096];
	static int next;
	char *text = path[next++ % 4];

	snprintf(text, sizeof path[0], "%s/%s", base, name);
	return text;
}

static const char *proc(const char *name)
{
	char base[32];

	snprintf(base, sizeof base, "/proc/%d", victim);
	return of(base, name);
}

static long read_some(const char *path)
{
	char byte;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -1 : read(fd, &byte, 1) < 0 ? -1 : 0;
}

static long by_root(void)
{
	return read_some(of(proc("root"), secret));
}

static long mem(void)
{
	return open(proc("mem"), O_RDWR);
}

static long environment(void)
{
	return read_some(proc("environ"));
}

static long descriptor_of_other(void)
{
	return open(proc("fd/60"), O_RDONLY);
}

static long directory_of_other(void)
{
	return open(proc("cwd/."), O_RDONLY);
}

static long trace(void)
{
	return ptrace(PTRACE_SEIZE, victim, NULL, NULL);
}

static long trace_child(void)
{
	pid_t child = fork();

	if (child == 0)
		for (;;)
			pause();
	long result = ptrace(PTRACE_SEIZE, child, NULL, NULL);
	int error = errno;
	kill(child, SIGKILL);
	errno = error;
	return result;
}

static long memory_of_other(void)
{
	char byte;
	struct iovec ours = { &byte, 1 }, theirs = { (void *)0x1000, 1 };
	long result = process_vm_readv(victim, &ours, 1, &theirs, 1, 0);

	return result < 0 && errno == EFAULT ? 0 : result;
}

static long take_descriptor(void)
{
	int process = (int)syscall(SYS_pidfd_open, victim, 0);

	return process < 0 ? -1 : syscall(SYS_pidfd_getfd, process, 0, 0);
}

static long compare(void)
{
	return syscall(SYS_kcmp, getpid(), victim, 0, 0, 0);
}

static long send_signal(void)
{
	return kill(victim, SIGURG);
}

static long send_by_handle(void)
{
	int process = (int)syscall(SYS_pidfd_open, victim, 0);

	return process < 0 ? -1 : syscall(SYS_pidfd_send_signal, process, SIGURG, NULL, 0);
}

static long limit(void)
{
	struct rlimit old;

	return prlimit(victim, RLIMIT_NOFILE, NULL, &old);
}

static long set_priority(void)
{
	return setpriority(PRIO_PROCESS, (id_t)victim, getpriority(PRIO_PROCESS, (id_t)victim));
}

static long path_socket(const char *path, int type)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	socklen_t length = offsetof(struct sockaddr_un, sun_path);
	int fd = socket(AF_UNIX, type, 0);

	strcpy(address.sun_path, path);
	length += strlen(path) + (*path != '@');
	if (*path == '@')
		address.sun_path[0] = 0;
	return type == SOCK_STREAM ? connect(fd, (void *)&address, length) :
				     sendto(fd, "x", 1, 0, (void *)&address, length);
}

static char name_of_socket[64];

static long abstract_stream(void)
{
	snprintf(name_of_socket, sizeof name_of_socket, "@escapes-%d", victim);
	return path_socket(name_of_socket, SOCK_STREAM);
}

static long abstract_datagram(void)
{
	snprintf(name_of_socket, sizeof name_of_socket, "@escapes-d-%d", victim);
	return path_socket(name_of_socket, SOCK_DGRAM);
}

static long socket_in_tmp(void)
{
	return path_socket(getenv("ESCAPES_SOCKET"), SOCK_STREAM);
}

static struct sockaddr_in loopback(int port)
{
	return (struct sockaddr_in){
		AF_INET, htons((uint16_t)port), { htonl(INADDR_LOOPBACK) }, { 0 }
	};
}

static int victims_port(void)
{
	return atoi(getenv("ESCAPES_PORT"));
}

static long connect_by(int protocol)
{
	struct sockaddr_in address = loopback(victims_port());
	int fd = socket(AF_INET, SOCK_STREAM, protocol);

	return fd < 0 ? -1 : connect(fd, (void *)&address, sizeof address);
}

static long tcp(void)
{
	return connect_by(0);
}

static long mptcp(void)
{
	return connect_by(MPTCP);
}

static long fast_open(void)
{
	struct sockaddr_in address = loopback(victims_port());
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return fd < 0 ? -1 : sendto(fd, "x", 1, MSG_FASTOPEN, (void *)&address, sizeof address);
}

static long fast_open_message(void)
{
	struct sockaddr_in address = loopback(victims_port());
	struct iovec data = { "x", 1 };
	struct msghdr message = { .msg_name = &address,
				  .msg_namelen = sizeof address,
				  .msg_iov = &data,
				  .msg_iovlen = 1 };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return fd < 0 ? -1 : sendmsg(fd, &message, MSG_FASTOPEN);
}

static long udp(void)
{
	struct sockaddr_in address = loopback(victims_port());
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	return fd < 0 ? -1 : sendto(fd, "x", 1, 0, (void *)&address, sizeof address);
}

static long udp6(void)
{
	return socket(AF_INET6, SOCK_DGRAM, 0);
}

static long bind_by(int protocol)
{
	struct sockaddr_in address = loopback(0);
	int fd = socket(AF_INET, SOCK_STREAM, protocol);

	return fd < 0 ? -1 : bind(fd, (void *)&address, sizeof address);
}

static long bind_any(void)
{
	return bind_by(0);
}

static long bind_mptcp(void)
{
	return bind_by(MPTCP);
}

static long listen_unbound(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return fd < 0 ? -1 : listen(fd, 1);
}

static long listen_path(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(address.sun_path, sizeof address.sun_path, "%s", of(writable, "socket"));
	unlink(address.sun_path);
	return bind(fd, (void *)&address, sizeof address) < 0 ? -1 : listen(fd, 1);
}

static long vsock(void)
{
	return socket(AF_VSOCK, SOCK_STREAM, 0);
}

/* The kernel makes both sockets, and loads a module for that, before it says that they are no pair. */
static long pair(int family)
{
	int pair[2];

	return socketpair(family, SOCK_STREAM, 0, pair);
}

static long unix_pair(void)
{
	return pair(AF_UNIX);
}

static long internet_pair(void)
{
	return pair(AF_INET);
}

static long packet_pair(void)
{
	return pair(AF_PACKET);
}

static long tipc_pair(void)
{
	return pair(AF_TIPC);
}

static long packet(void)
{
	return socket(AF_PACKET, SOCK_RAW, 0);
}

static long route(void)
{
	return socket(AF_NETLINK, SOCK_RAW, 0);
}

static long audit(void)
{
	return socket(AF_NETLINK, SOCK_RAW, 9);
}

static long keys(void)
{
	return syscall(SYS_keyctl, 0, -3, 1);
}

static long ring(void)
{
	struct io_uring_params params = { 0 };

	return syscall(SYS_io_uring_setup, 2, &params);
}

static long faults(void)
{
	return syscall(SYS_userfaultfd, 1);
}

static long program_of_kernel(void)
{
	long result = syscall(SYS_bpf, 0, NULL, 0);

	return result < 0 && errno == EINVAL ? 0 : result;
}

static long counters(void)
{
	struct perf_event_attr attributes = { .type = PERF_TYPE_SOFTWARE,
					      .size = sizeof attributes,
					      .exclude_kernel = 1 };

	return syscall(SYS_perf_event_open, &attributes, 0, -1, -1, 0);
}

static long type_into(unsigned long request)
{
	int master, slave;
	char letter = 'x';

	if (openpty(&master, &slave, NULL, NULL, NULL) < 0)
		return -1;
	setsid();
	ioctl(slave, TIOCSCTTY, 0);
	return syscall(SYS_ioctl, slave, request, &letter);
}

static long terminal(void)
{
	return type_into(TIOCSTI);
}

static long terminal_high_bits(void)
{
	return type_into(TIOCSTI | 0x100000000);
}

static long run(const char *path, char *const argv[])
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		int null = open("/dev/null", O_WRONLY);
		dup2(null, 1);
		dup2(null, 2);
		execv(path, argv);
		_exit(errno);
	}
	waitpid(child, &status, 0);
	errno = WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
	return status == 0 ? 0 : -1;
}

static long set_id(void)
{
	return run(getenv("ESCAPES_SET_ID"), (char *[]){ "set-id", NULL });
}

static long host_program(void)
{
	return run("/usr/bin/true", (char *[]){ "true", NULL });
}

static long written_program(void)
{
	const char *copy = of(writable, "copy");
	char bytes[65536];
	int from = open("/usr/bin/true", O_RDONLY),
	    to = open(copy, O_WRONLY | O_CREAT | O_TRUNC, 0755);
	ssize_t n;

	if (from < 0 || to < 0)
		return -1;
	while ((n = read(from, bytes, sizeof bytes)) > 0)
		if (write(to, bytes, (size_t)n) != n)
			return -1;
	close(to);
	return run(copy, (char *[]){ "true", NULL });
}

static long memory_file(void)
{
	return memfd_create("program", 0);
}

static long user_namespace(void)
{
	return unshare(CLONE_NEWUSER);
}

static long user_namespace_by_clone(void)
{
	long child = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL);

	if (child == 0)
		_exit(0);
	return child;
}

static long user_namespace_by_clone3(void)
{
	struct {
		uint64_t flags, unused[3], signal, rest[6];
	} arguments = { .flags = CLONE_NEWUSER, .signal = SIGCHLD };
	long child = syscall(SYS_clone3, &arguments, sizeof arguments);

	if (child == 0)
		_exit(0);
	return child;
}

/* Onto itself, and away again: nothing of the machine's is ever to be found below a directory of a test. */
static long bind_mount(void)
{
	long result = mount(writable, writable, NULL, MS_BIND, NULL);
	int error = errno;

	if (result == 0)
		umount2(writable, MNT_DETACH);
	errno = error;
	return result;
}

/* Where nothing is mounted: EINVAL for whoever may. */
static long unmount(void)
{
	long result = umount2(writable, MNT_DETACH);

	return result < 0 && errno == EINVAL ? 0 : result;
}

static long clone_tree(void)
{
	return syscall(SYS_open_tree, AT_FDCWD, "/", OPEN_TREE_CLONE);
}

static long change_root(void)
{
	return chroot(writable);
}

static long inherited_directory(void)
{
	return openat(9, ".", O_RDONLY);
}

static long inherited_file(void)
{
	char byte;

	return pread(8, &byte, 1, 0);
}

static long read_secret(void)
{
	return read_some(secret);
}

static long look_at_secret(void)
{
	struct stat st;

	return stat(secret, &st);
}

static long mode_of_secret(void)
{
	return chmod(secret, 0600);
}

static long time_of_secret(void)
{
	return utimensat(AT_FDCWD, secret, NULL, 0);
}

static long cut_secret(void)
{
	return truncate(secret, 1);
}

static long watch_secret(void)
{
	return inotify_add_watch(inotify_init1(0), secret, IN_MODIFY);
}

static long link_to_secret(void)
{
	const char *link = of(writable, "link");

	unlink(link);
	return symlink(secret, link) < 0 ? -1 : read_some(link);
}

static long hard_link(void)
{
	return link(secret, of(writable, "hard"));
}

static long move_secret(void)
{
	return rename(secret, of(writable, "moved"));
}

static long up_from_cwd(void)
{
	return read_some("../secret");
}

static long make_device(void)
{
	const char *path = of(writable, "device");
	long result = mknod(path, S_IFCHR | 0600, 0x103);
	int error = errno;

	unlink(path);
	errno = error;
	return result;
}

static long shared_memory(void)
{
	int id = shmget(IPC_PRIVATE, 4096, 0600);

	return id < 0 ? -1 : shmctl(id, IPC_RMID, NULL);
}

static long shared_file(void)
{
	return open(getenv("ESCAPES_SHM"), O_RDWR);
}

static long kernel_setting(void)
{
	return open("/proc/sys/kernel/hostname", O_WRONLY);
}

/* What the user may read of /etc, what it may not, and what is elsewhere. */
static long machine_name(void)
{
	return read_some("/etc/hostname");
}

static long machine_secret(void)
{
	return read_some("/etc/shadow");
}

static long machine_state(void)
{
	return open("/var/lib", O_RDONLY | O_DIRECTORY);
}

/* What the victim types, and what it sees. */
static long terminal_of_other(void)
{
	return open(getenv("ESCAPES_TERMINAL"), O_RDWR | O_NOCTTY);
}

/* No right of Landlock's is about modes. */
static long machine_mode(void)
{
	struct stat st;

	return stat("/etc/hostname", &st) < 0 ? -1 : chmod("/etc/hostname", st.st_mode & 07777);
}

static long by_handle(void)
{
	long result = syscall(SYS_open_by_handle_at, AT_FDCWD, NULL, 0);

	return result < 0 && errno == EFAULT ? 0 : result;
}

static const struct {
	const char *name;
	long (*try)(void);
} attempts[] = {
	{ "trace another process", trace },
	{ "trace an own child", trace_child },
	{ "read another's memory", memory_of_other },
	{ "/proc/VICTIM/mem", mem },
	{ "/proc/VICTIM/environ", environment },
	{ "/proc/VICTIM/root", by_root },
	{ "/proc/VICTIM/cwd", directory_of_other },
	{ "/proc/VICTIM/fd", descriptor_of_other },
	{ "pidfd_getfd", take_descriptor },
	{ "kcmp", compare },
	{ "kill", send_signal },
	{ "pidfd_send_signal", send_by_handle },
	{ "prlimit of another", limit },
	{ "setpriority of another", set_priority },
	{ "abstract stream socket", abstract_stream },
	{ "abstract datagram socket", abstract_datagram },
	{ "socket in /tmp", socket_in_tmp },
	{ "TCP", tcp },
	{ "TCP fast open, sendto", fast_open },
	{ "TCP fast open, sendmsg", fast_open_message },
	{ "MPTCP", mptcp },
	{ "UDP", udp },
	{ "UDP of version 6", udp6 },
	{ "bind", bind_any },
	{ "bind by MPTCP", bind_mptcp },
	{ "listen without bind", listen_unbound },
	{ "listen at a path", listen_path },
	{ "vsock", vsock },
	{ "packet socket", packet },
	{ "pair of Unix sockets", unix_pair },
	{ "pair of TCP sockets", internet_pair },
	{ "pair of packet sockets", packet_pair },
	{ "pair of TIPC sockets", tipc_pair },
	{ "netlink: routes", route },
	{ "netlink: audit", audit },
	{ "keyctl", keys },
	{ "io_uring", ring },
	{ "userfaultfd", faults },
	{ "bpf", program_of_kernel },
	{ "perf_event_open", counters },
	{ "TIOCSTI", terminal },
	{ "TIOCSTI with high bits", terminal_high_bits },
	{ "set-id program", set_id },
	{ "program of the host", host_program },
	{ "program that was written", written_program },
	{ "memfd without a seal", memory_file },
	{ "user namespace", user_namespace },
	{ "user namespace by clone", user_namespace_by_clone },
	{ "user namespace by clone3", user_namespace_by_clone3 },
	{ "bind mount", bind_mount },
	{ "unmount", unmount },
	{ "open_tree", clone_tree },
	{ "chroot", change_root },
	{ "inherited directory", inherited_directory },
	{ "inherited file", inherited_file },
	{ "read a secret", read_secret },
	{ "stat a secret", look_at_secret },
	{ "chmod a secret", mode_of_secret },
	{ "utimes of a secret", time_of_secret },
	{ "watch a secret", watch_secret },
	{ "symbolic link to a secret", link_to_secret },
	{ "hard link to a secret", hard_link },
	{ ".. of the directory", up_from_cwd },
	{ "make a device", make_device },
	{ "System V shared memory", shared_memory },
	{ "/dev/shm of another", shared_file },
	{ "write /proc/sys", kernel_setting },
	{ "/etc/hostname", machine_name },
	{ "/etc/shadow", machine_secret },
	{ "list /var/lib", machine_state },
	{ "mode of /etc/hostname", machine_mode },
	{ "terminal of another", terminal_of_other },
	{ "open_by_handle_at", by_handle },
	{ "truncate a secret", cut_secret },
	{ "move a secret", move_secret },
};

/* Each in a process of its own: some change it for good, or are killed. */
static void attempt(size_t i)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		errno = 0;
		long result = attempts[i].try();
		printf("%s\t%s\n", attempts[i].name, result >= 0 ? "ok" : strerrorname_np(errno));
		fflush(stdout);
		_exit(0);
	}
	waitpid(child, &status, 0);
	if (WIFSIGNALED(status)) {
		printf("%s\tsignal %d\n", attempts[i].name, WTERMSIG(status));
		fflush(stdout);
	}
}

static void listen_at(int family, int type, const void *address, socklen_t length)
{
	int fd = socket(family, type, 0);

	if (bind(fd, address, length) < 0 || (type == SOCK_STREAM && listen(fd, 64) < 0)) {
		perror("victim");
		exit(1);
	}
}

static void listen_by_name(const char *format, int type)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int n = snprintf(address.sun_path + 1, sizeof address.sun_path - 1, format, getpid());

	listen_at(AF_UNIX, type, &address,
		  (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1) + (socklen_t)n);
}

static int be_victim(const char *path, const char *shm)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct sockaddr_in port = loopback(0);
	socklen_t length = sizeof port;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char byte;

	listen_by_name("escapes-%d", SOCK_STREAM);
	listen_by_name("escapes-d-%d", SOCK_DGRAM);
	snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	listen_at(AF_UNIX, SOCK_STREAM, &address, sizeof address);
	if (bind(fd, (void *)&port, sizeof port) < 0 || listen(fd, 64) < 0 ||
	    getsockname(fd, (void *)&port, &length) < 0 || open(shm, O_RDWR | O_CREAT, 0600) < 0)
		return 1;
	if (dup2(open("/etc/passwd", O_RDONLY), 60) < 0)
		return 1;
	int terminal = -1, other;
	if (openpty(&other, &terminal, NULL, NULL, NULL) < 0)
		return 1;
	printf("%d %s\n", ntohs(port.sin_port), ttyname(terminal));
	fflush(stdout);
	while (read(0, &byte, 1) > 0)
		;
	unlink(shm);
	return 0;
}

int main(int argc, char **argv)
{
	if (strcmp(argv[0], "set-id") == 0)
		return geteuid() == 0 ? 0 : EPERM;
	if (argc == 4 && strcmp(argv[1], "--victim") == 0)
		return be_victim(argv[2], argv[3]);
	if (argc != 4)
		return 2;
	if (geteuid() == 0 && prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == 0) {
		fputs("as root outside of any sandbox these attempts would be real\n", stderr);
		return 3;
	}
	victim = atoi(argv[1]);
	secret = argv[2];
	writable = argv[3];
	for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++)
		attempt(i);
	return 0;
}
