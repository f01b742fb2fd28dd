#include "guest/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/random.h>
#include <linux/reboot.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "guest/digits.h"

#define SEED_MOST 64 /* bytes */
#define FLUSH_MOST 60000 /* ms */
#define NANOSECONDS 1000000000u

struct system {
	const char *target, *type;
	unsigned long flags;
	const char *options;
	mode_t mode; /* of the directory */
};

static const struct system systems[] = {
	{ "/dev", "devtmpfs", MS_NOSUID, "mode=0755", 0755 },
	{ "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL, 0555 },
	{ "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL, 0555 },
	{ "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "ptmxmode=0666,mode=0620", 0755 },
	{ "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777", 01777 },
};

static const char *const links[][2] = {
	{ "/proc/self/fd", "/dev/fd" },
	{ "/proc/self/fd/0", "/dev/stdin" },
	{ "/proc/self/fd/1", "/dev/stdout" },
	{ "/proc/self/fd/2", "/dev/stderr" },
};

/* The kernel has opened none where the initramfs has no /dev/console. */
static void take_console(void)
{
	int console = open("/dev/console", O_RDWR | O_NOCTTY | O_CLOEXEC);

	for (int fd = 0; console >= 0 && fd <= STDERR_FILENO; fd++)
		if (fd != console)
			dup2(console, fd);
	if (console > STDERR_FILENO)
		close(console);
}

int machine_mount(struct failure *failure)
{
	for (size_t i = 0; i < sizeof systems / sizeof *systems; i++) {
		const struct system *system = &systems[i];
		mkdir(system->target, system->mode);
		/* EBUSY: the kernel has mounted devtmpfs by itself. */
		if (mount(system->type, system->target, system->type, system->flags,
			  system->options) < 0 &&
		    errno != EBUSY)
			return fail_errno(failure, FUSELAGE_E_GUEST_START, "%s (%s)",
					  system->target, system->type);
		if (i == 0)
			take_console();
	}
	for (size_t i = 0; i < sizeof links / sizeof *links; i++)
		(void)!symlink(links[i][0], links[i][1]);
	return 0;
}

int machine_leave_initramfs(struct failure *failure)
{
	static const char *const moved[] = { "/dev", "/proc", "/sys" };
	static const struct {
		const char *path;
		mode_t mode;
	} made[] = {
		{ "etc", 0755 },  { "root", 0700 }, { "run", 0755 },
		{ "tmp", 01777 }, { "var", 0755 },  { "var/tmp", 01777 },
	};

	unlink("/init"); /* whose pages stay while it runs, and no longer */
	mkdir("/root", 0755);
	if (mount("fuselage", "/root", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755") < 0 ||
	    chdir("/root") < 0)
		return fail_errno(failure, FUSELAGE_E_GUEST_START, "root directory (tmpfs)");
	for (size_t i = 0; i < sizeof moved / sizeof *moved; i++)
		if (mkdir(moved[i] + 1, 0755) < 0 ||
		    mount(moved[i], moved[i] + 1, NULL, MS_MOVE, NULL) < 0)
			return fail_errno(failure, FUSELAGE_E_GUEST_START, "%s", moved[i]);
	for (size_t i = 0; i < sizeof made / sizeof *made; i++)
		if (mkdir(made[i].path, 0700) < 0 ||
		    fchmodat(AT_FDCWD, made[i].path, made[i].mode, 0) < 0)
			return fail_errno(failure, FUSELAGE_E_GUEST_START, "/%s", made[i].path);
	if (mount(".", "/", NULL, MS_MOVE, NULL) < 0 || syscall(SYS_chroot, ".") < 0 ||
	    chdir("/") < 0)
		return fail_errno(failure, FUSELAGE_E_GUEST_START, "root directory");
	return 0;
}

int machine_set_clock(const char *text)
{
	uint64_t seconds, fraction = 0;

	if (!digits_read(&text, INT64_MAX, &seconds) ||
	    (*text && (*text != '.' || !digits_are(text + 1, NANOSECONDS - 1, &fraction)))) {
		errno = EINVAL;
		return -1;
	}
	struct timespec time = { .tv_sec = (time_t)seconds, .tv_nsec = (long)fraction };
	return (int)syscall(SYS_clock_settime, CLOCK_REALTIME, &time);
}

static int digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int machine_seed(const char *digits)
{
	/* struct rand_pool_info */
	struct {
		int entropy; /* bits */
		int size; /* bytes */
		unsigned char bytes[SEED_MOST];
	} pool = { 0 };
	size_t length = strlen(digits), count = length % 2 ? 0 : length / 2;
	int generator = open("/dev/urandom", O_RDWR | O_CLOEXEC), done = -1;

	errno = EINVAL;
	for (size_t i = 0; i < count && i < SEED_MOST; i++) {
		int high = digit(digits[2 * i]), low = digit(digits[2 * i + 1]);
		if (high < 0 || low < 0)
			count = 0;
		else
			pool.bytes[i] = (unsigned char)(high << 4 | low);
	}
	if (count >= 32 && count <= SEED_MOST && generator >= 0) {
		pool.entropy = (int)count * 8;
		pool.size = (int)count;
		done = ioctl(generator, (int)RNDADDENTROPY, &pool);
		/* Since Linux 4.14; and without it the pool would reach the generator some time later. */
		if (done == 0 && ioctl(generator, (int)RNDRESEEDCRNG) < 0 && errno != EINVAL)
			done = -1;
	}
	if (generator >= 0)
		close(generator);
	return done;
}

unsigned long machine_uptime(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (unsigned long)now.tv_sec * 1000 + (unsigned long)now.tv_nsec / 1000000;
}

int machine_configure(const struct run_file *run, struct failure *failure)
{
	if (run->time && machine_set_clock(run->time) < 0)
		return fail_errno(failure, FUSELAGE_E_GUEST_START, "time=%.100s", run->time);
	if (run->seed && machine_seed(run->seed) < 0)
		return fail_errno(failure, FUSELAGE_E_GUEST_START,
				  "seed: expected 32 to 64 bytes in hex digits, found %zu digits",
				  strlen(run->seed));
	if (run->hostname && sethostname(run->hostname, strlen(run->hostname)) < 0)
		return fail_errno(failure, FUSELAGE_E_GUEST_START, "hostname=%.100s",
				  run->hostname);
	return 0;
}

/* A disk that was written to has its time. It is not waited for longer: of a frozen file system this may never end. */
static void flush_disks(void)
{
	unsigned long end = machine_uptime() + FLUSH_MOST;
	pid_t child = fork();

	if (child == 0) {
		syscall(SYS_sync);
		_exit(0);
	}
	while (child > 0 && waitpid(child, NULL, WNOHANG) != child && machine_uptime() < end)
		poll(NULL, 0, 10);
}

void machine_end(enum guest_end end)
{
	int command = end == GUEST_END_POWEROFF ? (int)LINUX_REBOOT_CMD_POWER_OFF :
						  (int)LINUX_REBOOT_CMD_RESTART;

	for (;;) {
		flush_disks();
		syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, command, NULL);
		poll(NULL, 0, -1); /* one that cannot be powered off is halted */
	}
}
