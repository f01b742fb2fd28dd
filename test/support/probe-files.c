/*
 * Asks the files of the app that test/runtime/same-everywhere.test.ts packs all that a program can ask,
 * and prints one line for each answer, "QUESTION: ANSWER", in the same order whatever holds them.
 *
 *   probe-files DIR SCRATCH
 *
 * Owners are printed as "own" where they are the caller's. What a question changes, where it is not
 * refused, is a file of its own: no answer depends on an earlier one.
 */
#define _GNU_SOURCE
#include "probe.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

static char scratch[PATH_MAX];

/* The same for what gives a descriptor. */
static const char *closed(int fd)
{
	const char *word = answer(fd);

	if (fd >= 0)
		close(fd);
	return word;
}

static const char *at_scratch(const char *name)
{
	static char path[PATH_MAX + 64];

	snprintf(path, sizeof path, "%s/%s", scratch, name);
	return path;
}

static void ask_open(void)
{
#define FLAGS(flags) { #flags, flags }
	static const struct {
		const char *name;
		int flags;
	} opens[] = {
		FLAGS(O_RDONLY), FLAGS(O_WRONLY), FLAGS(O_RDWR), FLAGS(O_WRONLY | O_APPEND),
		FLAGS(O_WRONLY | O_TRUNC), FLAGS(O_RDONLY | O_TRUNC), FLAGS(O_RDONLY | O_CREAT),
		FLAGS(O_WRONLY | O_CREAT), FLAGS(O_WRONLY | O_CREAT | O_EXCL), FLAGS(O_PATH),
		FLAGS(O_RDONLY | O_DIRECTORY), FLAGS(O_RDONLY | O_NOFOLLOW), FLAGS(O_RDONLY | O_DIRECT),
		FLAGS(O_RDONLY | O_NOATIME), FLAGS(O_RDONLY | O_NONBLOCK), FLAGS(O_RDONLY | O_SYNC),
		FLAGS(O_WRONLY | O_TMPFILE), FLAGS(O_RDWR | O_TMPFILE | O_EXCL),
	};
#undef FLAGS
	static const char *const places[] = { "plain", "read-only", "folder", "to-plain",
					      "to-folder", "to-nothing", "to-itself", "absent",
					      "folder/absent", "plain/below", "folder/" };

	for (size_t i = 0; i < sizeof places / sizeof *places; i++)
		for (size_t j = 0; j < sizeof opens / sizeof *opens; j++) {
			const char *word = closed(open(places[i], opens[j].flags | O_CLOEXEC, 0644));
			say("open %s %s: %s", places[i], opens[j].name, word);
			if (strstr(places[i], "absent"))
				unlink(places[i]);
			unlink("nothing");
		}
}

static int bind_socket(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int result;

	strncpy(address.sun_path, path, sizeof address.sun_path - 1);
	result = bind(fd, (struct sockaddr *)&address, sizeof address);
	int error = errno;
	close(fd);
	errno = error;
	return result;
}

/* All that would change something, each on its own file. */
static void ask_changes(void)
{
	const struct timespec now[2] = { { .tv_nsec = UTIME_NOW }, { .tv_nsec = UTIME_NOW } };

	TRY("change mkdir", mkdir("change/new-folder", 0755));
	TRY("change mkdir of one that is there", mkdir("folder", 0755));
	TRY("change rmdir", rmdir("change/empty-folder"));
	TRY("change rmdir of a full one", rmdir("folder"));
	TRY("change unlink", unlink("change/unlink"));
	TRY("change unlink of nothing", unlink("change/absent"));
	TRY("change unlink of a folder", unlink("change/folder"));
	TRY("change rename", rename("change/rename", "change/renamed"));
	TRY("change rename over one", rename("change/over", "change/over-this"));
	TRY("change rename of nothing", rename("change/absent", "change/absent-2"));
	TRY("change rename to itself", rename("plain", "plain"));
	TRY("change rename exchange",
	    renameat2(AT_FDCWD, "change/left", AT_FDCWD, "change/right", RENAME_EXCHANGE));
	TRY("change link", link("change/link", "change/linked"));
	TRY("change link to elsewhere", link("change/link", at_scratch("linked")));
	TRY("change rename to elsewhere", rename("change/moved", at_scratch("moved")));
	TRY("change symlink", symlink("plain", "change/new-link"));
	TRY("change chmod", chmod("change/chmod", 0700));
	TRY("change chmod to what it is", chmod("change/chmod-same", 0444));
	TRY("change chown", chown("change/chown", geteuid(), getegid()));
	TRY("change lchown of a link", lchown("to-nothing", geteuid(), getegid()));
	TRY("change times", utimensat(AT_FDCWD, "change/times", now, 0));
	TRY("change times of a link", utimensat(AT_FDCWD, "to-nothing", now, AT_SYMLINK_NOFOLLOW));
	TRY("change truncate", truncate("change/truncate", 1));
	TRY("change setxattr", setxattr("change/xattr", "user.new", "1", 1, 0));
	TRY("change setxattr trusted", setxattr("change/xattr", "trusted.new", "1", 1, 0));
	TRY("change removexattr", removexattr("marked", "user.color"));
	TRY("change removexattr of nothing", removexattr("plain", "user.none"));
	TRY("change mkfifo", mkfifo("change/new-fifo", 0600));
	TRY("change bind", bind_socket("change/new-socket"));
	TRY("change creat", creat("change/new-file", 0600));
}

static void ask_maps(int fd)
{
	static const struct {
		const char *name;
		int protection, flags;
	} maps[] = {
		{ "read private", PROT_READ, MAP_PRIVATE },
		{ "read shared", PROT_READ, MAP_SHARED },
		{ "execute private", PROT_READ | PROT_EXEC, MAP_PRIVATE },
		{ "execute shared", PROT_READ | PROT_EXEC, MAP_SHARED },
		{ "write private", PROT_READ | PROT_WRITE, MAP_PRIVATE },
		{ "write shared", PROT_READ | PROT_WRITE, MAP_SHARED },
		{ "populated", PROT_READ, MAP_PRIVATE | MAP_POPULATE },
		{ "synchronous", PROT_READ, MAP_SHARED_VALIDATE | MAP_SYNC },
	};

	for (size_t i = 0; i < sizeof maps / sizeof *maps; i++) {
		char *map = mmap(NULL, 4096, maps[i].protection, maps[i].flags, fd, 0);
		say("mmap %s: %s", maps[i].name, answer(map == MAP_FAILED ? -1 : 0));
		if (map == MAP_FAILED)
			continue;
		say("mmap %s first byte: %d", maps[i].name, *map);
		TRY("mprotect to write", mprotect(map, 4096, PROT_READ | PROT_WRITE));
		TRY("mprotect to execute", mprotect(map, 4096, PROT_READ | PROT_EXEC));
		munmap(map, 4096);
	}
}

static int copy_out(int fd, const char *how)
{
	int out = open(at_scratch("out"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	off_t at = 0;
	long n = -1;

	if (strcmp(how, "sendfile") == 0)
		n = sendfile(out, fd, &at, 4096);
	else if (strcmp(how, "copy_file_range") == 0)
		n = copy_file_range(fd, &at, out, NULL, 4096, 0);
	else
		n = ioctl(out, FICLONE, fd);
	int error = errno;
	close(out);
	errno = error;
	return (int)n;
}

static void ask_descriptor(int fd)
{
	struct pollfd poll_in = { fd, POLLIN, 0 };
	struct epoll_event event = { .events = EPOLLIN };
	int epoll = epoll_create1(EPOLL_CLOEXEC), pipes[2], number = 0;
	loff_t at = 0;
	char byte;

	TRY("sendfile", copy_out(fd, "sendfile"));
	TRY("copy_file_range", copy_out(fd, "copy_file_range"));
	TRY("reflink", copy_out(fd, "reflink"));
	if (pipe2(pipes, O_CLOEXEC) == 0)
		TRY("splice", splice(fd, &at, pipes[1], NULL, 100, 0));
	TRY("write to a descriptor for reading", write(fd, "x", 1));
	TRY("ftruncate", ftruncate(fd, 0));
	TRY("fchmod", fchmod(fd, 0644));
	TRY("fallocate", fallocate(fd, 0, 0, 1));
	TRY("fsync", fsync(fd));
	TRY("fdatasync", fdatasync(fd));
	TRY("syncfs", syncfs(fd));
	TRY("fadvise", -posix_fadvise(fd, 0, 0, POSIX_FADV_WILLNEED));
	TRY("readahead", readahead(fd, 0, 4096));
	TRY("epoll", epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
	say("poll: %d %x", poll(&poll_in, 1, 0), (unsigned)poll_in.revents);
	say("FIONREAD: %s %d", answer(ioctl(fd, FIONREAD, &number)), number);
	TRY("FIBMAP", ioctl(fd, FIBMAP, &number));
	TRY("FS_IOC_GETFLAGS", ioctl(fd, FS_IOC_GETFLAGS, &number));
	TRY("unknown ioctl", ioctl(fd, 0x1234, &number));
	say("pread behind the end: %zd", pread(fd, &byte, 1, 1 << 30));
	say("preadv2 nowait: %s", answer(preadv2(fd, &(struct iovec){ &byte, 1 }, 1, 0, 0)));
	close(epoll);
}

static void ask_locks(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int watch = inotify_init1(IN_CLOEXEC);
	struct flock part = { .l_type = F_RDLCK };

	TRY("lock F_RDLCK", fcntl(fd, F_SETLK, &part));
	part.l_type = F_WRLCK;
	TRY("lock F_WRLCK", fcntl(fd, F_SETLK, &part));
	part = (struct flock){ .l_type = F_WRLCK };
	say("lock F_GETLK: %s %d", answer(fcntl(fd, F_GETLK, &part)), part.l_type);
	part = (struct flock){ .l_type = F_RDLCK };
	TRY("lock F_OFD_SETLK", fcntl(fd, F_OFD_SETLK, &part));
	TRY("lock LOCK_SH", flock(fd, LOCK_SH | LOCK_NB));
	TRY("lock LOCK_EX", flock(fd, LOCK_EX | LOCK_NB));
	TRY("lease F_RDLCK", fcntl(fd, F_SETLEASE, F_RDLCK));
	TRY("lease F_UNLCK", fcntl(fd, F_SETLEASE, F_UNLCK));
	TRY("inotify", inotify_add_watch(watch, path, IN_ALL_EVENTS));
	TRY("inotify of a folder", inotify_add_watch(watch, "folder", IN_ALL_EVENTS | IN_ONLYDIR));
	close(watch);
	close(fd);
}

static void ask_holes(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	off_t end = lseek(fd, 0, SEEK_END);

	say("%s data from 0: %lld", path, (long long)lseek(fd, 0, SEEK_DATA));
	say("%s hole from 0: %lld", path, (long long)lseek(fd, 0, SEEK_HOLE));
	say("%s data from the middle: %lld", path, (long long)lseek(fd, end / 2, SEEK_DATA));
	say("%s hole from the end: %s", path, answer(lseek(fd, end, SEEK_HOLE)));
	say("%s data from the end: %s", path, answer(lseek(fd, end, SEEK_DATA)));
	say("%s seek before 0: %s", path, answer(lseek(fd, -1, SEEK_SET)));
	say("%s seek behind the end: %lld", path, (long long)lseek(fd, end + 5, SEEK_SET) - end);
	close(fd);
}

static void ask_file_system(void)
{
	static const struct {
		const char *name;
		unsigned long flag;
	} flags[] = { { "ST_RDONLY", ST_RDONLY }, { "ST_NOSUID", ST_NOSUID },
		      { "ST_NODEV", ST_NODEV }, { "ST_NOEXEC", ST_NOEXEC },
		      { "ST_MANDLOCK", ST_MANDLOCK } };
	struct statvfs vfs;
	struct statfs fs;

	if (statvfs(".", &vfs) < 0 || statfs("plain", &fs) < 0) {
		say("statvfs: %s", answer(-1));
		return;
	}
	for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
		say("statfs %s: %d", flags[i].name, (vfs.f_flag & flags[i].flag) != 0);
	say("statfs type: %lx", (long)fs.f_type);
	say("statfs block size: %lu %lu", vfs.f_bsize, vfs.f_frsize);
	say("statfs has size: %d", vfs.f_blocks > 0);
	say("statfs free blocks: %s", vfs.f_bavail ? "some" : "none");
	say("statfs free inodes: %s", vfs.f_favail ? "some" : "none");
	say("statfs longest name: %lu", vfs.f_namemax);
	say("pathconf: %ld %ld %ld", pathconf(".", _PC_NAME_MAX), pathconf(".", _PC_PATH_MAX),
	    pathconf(".", _PC_LINK_MAX));
}

static void ask_paths(void)
{
	char found[PATH_MAX], working[PATH_MAX], handle[sizeof(struct file_handle) + 128];
	struct file_handle *header = (struct file_handle *)handle;
	char long_name[300];
	struct statx wide;
	struct stat one, other;
	int mount;

	say("realpath of a link: %d", realpath("to-folder/inner", found) && getcwd(working, PATH_MAX) &&
					      strncmp(found, working, strlen(working)) == 0 &&
					      strcmp(found + strlen(working), "/folder/inner") == 0);
	TRY("realpath of nothing", realpath("to-nothing", found) ? 0 : -1);
	TRY("chdir", chdir("to-folder"));
	say("getcwd in a link: %s", getcwd(found, PATH_MAX) ? strrchr(found, '/') : "none");
	TRY("chdir back", chdir(".."));
	say(".. is where it was: %d", stat(".", &one) == 0 && stat(working, &other) == 0 &&
					      one.st_ino == other.st_ino);
	say("hard links are one inode: %d", stat("hard/one", &one) == 0 && stat("hard/two", &other) == 0 &&
						    one.st_ino == other.st_ino);
	memset(long_name, 'n', sizeof long_name - 1);
	long_name[sizeof long_name - 1] = 0;
	TRY("stat of a name too long", stat(long_name, &one));
	long_name[255] = 0;
	TRY("stat of the longest name", stat(long_name, &one));
	TRY("stat of a file's slash", stat("plain/", &one));
	TRY("stat of a name of other case", stat("PLAIN", &one));
	TRY("stat of a dangling link's slash", stat("to-nothing/", &one));
	TRY("stat of a loop of links", stat("to-itself", &one));
	TRY("readlink of a file", readlink("plain", found, sizeof found));
	TRY("opendir of a file", opendir("plain") ? 0 : -1);
	header->handle_bytes = 128;
	TRY("name_to_handle_at", name_to_handle_at(AT_FDCWD, "plain", header, &mount, 0));
	if (statx(AT_FDCWD, "plain", 0, STATX_ALL, &wide) == 0) {
		say("statx birth: %d", (wide.stx_mask & STATX_BTIME) != 0);
		say("statx attributes: %llx", (unsigned long long)wide.stx_attributes &
						      ~(unsigned long long)STATX_ATTR_MOUNT_ROOT);
	}
}

/* How a program or script ends. */
static void ask_exec(const char *path, bool by_descriptor)
{
	char *arguments[] = { (char *)path, "--nothing", NULL };
	int status, sockets[2];

	if (pipe2(sockets, O_CLOEXEC) < 0)
		return;
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		int fd = by_descriptor ? open(path, O_RDONLY) : -1;
		if (by_descriptor)
			fexecve(fd, arguments, environ);
		else
			execve(path, arguments, environ);
		int error = errno;
		(void)!write(sockets[1], &error, sizeof error);
		_exit(127);
	}
	close(sockets[1]);
	int error = 0;
	bool failed = read(sockets[0], &error, sizeof error) > 0;
	waitpid(pid, &status, 0);
	close(sockets[0]);
	errno = error;
	say("exec %s%s: %s %d", path, by_descriptor ? " by its descriptor" : "",
	    failed ? answer(-1) : "ok", failed ? 0 : WEXITSTATUS(status));
}

static void ask_copies(void)
{
	static const char *const copies[] = { "r", "a", "rL" };
	char command[2 * PATH_MAX], path[PATH_MAX + 64];
	static const char *const names[] = { "", "/plain", "/read-only", "/program", "/private", "/link" };
	struct stat st;

	for (size_t i = 0; i < sizeof copies / sizeof *copies; i++) {
		snprintf(command, sizeof command, "umask 022; cp -%s template %s", copies[i],
			 at_scratch(copies[i]));
		fflush(stdout);
		say("cp -%s: %d", copies[i], system(command));
		for (size_t j = 0; j < sizeof names / sizeof *names; j++) {
			snprintf(path, sizeof path, "%s%s", at_scratch(copies[i]), names[j]);
			say("cp -%s mode of template%s: %o", copies[i], names[j],
			    lstat(path, &st) == 0 ? st.st_mode : 0);
			say("cp -%s access W_OK of template%s: %s", copies[i], names[j],
			    access(path, W_OK) == 0 ? "ok" : strerrorname_np(errno));
		}
	}
}

int main(int argc, char **argv)
{
	struct stat st;

	if (argc == 2)
		return 7; /* run as a packed program */
	if (argc != 3 || chdir(argv[1]) < 0 || stat(".", &st) < 0)
		return 1;
	snprintf(scratch, sizeof scratch, "%.4000s", argv[2]);
	umask(022);
	probe_tree(".", st.st_dev);
	ask_paths();
	ask_file_system();
	ask_copies();
	int fd = open("large", O_RDONLY | O_CLOEXEC);
	ask_maps(fd);
	ask_descriptor(fd);
	close(fd);
	ask_locks("large");
	ask_holes("large");
	ask_holes("sparse");
	ask_holes("empty");
	static const char *const programs[] = { "program", "script", "script-of-program", "to-program",
						"plain", "no-format", "folder", "absent" };
	for (size_t i = 0; i < sizeof programs / sizeof *programs; i++) {
		ask_exec(programs[i], false);
		ask_exec(programs[i], true);
	}
	ask_open();
	ask_changes();
	return 0;
}
