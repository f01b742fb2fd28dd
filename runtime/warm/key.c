#include "warm/key.h"

#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/owned.h"
#include "base/sha256.h"
#include "start.h"

/* Change it with anything that the two sides say to each other. */
#define PROTOCOL FUSELAGE_VERSION " 1"

/* Ages in ns: time stamps are of a clock that ticks 100 times a second at least, or of seconds. */
#define TICK INT64_C(20000000)
#define COARSE INT64_C(2000000000)

/* Who nobody in particular is, and everybody whom a user namespace does not map. */
#define OVERFLOW_ID 65534

#define CGROUP_MAX 4096

bool share_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* A second change within the same tick would leave the time as it is. */
static bool has_settled(const struct stat *image)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	int64_t age = (int64_t)(now.tv_sec - image->st_ctim.tv_sec) * 1000000000 + now.tv_nsec -
		      image->st_ctim.tv_nsec;
	return age > (image->st_ctim.tv_nsec ? TICK : COARSE);
}

/* In them the server might be stopped by what it did for others. */
static bool is_limited(void)
{
	static const int limits[] = { RLIMIT_CPU, RLIMIT_AS, RLIMIT_DATA };

	for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
		struct rlimit limit;
		if (getrlimit(limits[i], &limit) < 0 || limit.rlim_cur != RLIM_INFINITY)
			return true;
	}
	return false;
}

static ssize_t read_cgroup(char *text)
{
	OWNED_FD fd = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -1 : read(fd, text, CGROUP_MAX);
}

static bool put_namespace(uint64_t *number, const char *path)
{
	struct stat st;

	*number = stat(path, &st) < 0 ? 0 : st.st_ino;
	return *number != 0;
}

static void put_file(uint64_t *numbers, const struct stat *st)
{
	numbers[0] = st->st_dev;
	numbers[1] = st->st_ino;
	numbers[2] = (uint64_t)st->st_size;
	numbers[3] = (uint64_t)st->st_mtim.tv_sec;
	numbers[4] = (uint64_t)st->st_mtim.tv_nsec;
	numbers[5] = (uint64_t)st->st_ctim.tv_sec;
	numbers[6] = (uint64_t)st->st_ctim.tv_nsec;
}

bool share_address(const struct start *start, const struct archive *archive,
		   const struct stat *home, struct share_address *address)
{
	static const char digits[] = "0123456789abcdef";
	char cgroup[CGROUP_MAX];
	struct sha256 hash;
	struct stat image;
	uint8_t digest[SHA256_SIZE];
	uint64_t numbers[24] = { 0 };
	ssize_t length = read_cgroup(cgroup);

	if (start->caller.uid == OVERFLOW_ID || start->uid == OVERFLOW_ID || length < 0 ||
	    length == CGROUP_MAX || fstat(archive->fd, &image) < 0 || !S_ISREG(image.st_mode) ||
	    image.st_nlink == 0 || !has_settled(&image) || is_limited() ||
	    !put_namespace(numbers, "/proc/self/ns/user") ||
	    !put_namespace(numbers + 1, "/proc/self/ns/pid"))
		return false;
	put_file(numbers + 2, &image);
	numbers[9] = archive->offset;
	numbers[10] = start->kind;
	numbers[11] = start->caller.uid;
	numbers[12] = start->caller.gid;
	numbers[13] = start->uid;
	numbers[14] = start->gid;
	numbers[15] = start->fuse.cache_bytes;
	numbers[16] = home->st_dev;
	numbers[17] = home->st_ino;
	numbers[18] = (uint64_t)getpriority(PRIO_PROCESS, 0);
	sha256_init(&hash);
	sha256_update(&hash, PROTOCOL, sizeof PROTOCOL);
	sha256_update(&hash, numbers, sizeof numbers);
	sha256_update(&hash, start->invocation.mount_type,
		      strlen(start->invocation.mount_type) + 1);
	sha256_update(&hash, cgroup, (size_t)length);
	sha256_finish(&hash, digest);

	/* Abstract: no file, so none is left behind. */
	char *name = stpcpy(address->socket.sun_path + 1, "fuselage-");
	address->socket.sun_family = AF_UNIX;
	address->socket.sun_path[0] = 0;
	for (size_t i = 0; i < SHA256_SIZE; i++) {
		*name++ = digits[digest[i] >> 4];
		*name++ = digits[digest[i] & 15];
	}
	address->size = (socklen_t)(name - (char *)&address->socket);
	return true;
}
