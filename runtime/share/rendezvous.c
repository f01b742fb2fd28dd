#include "share/rendezvous.h"

#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/owned.h"
#include "cache/file_state.h"
#include "libc/sha256.h"
#include "archive/archive.h"
#include "kernel/identity.h"
#include "share/share.h"

/* Change it with anything that the two sides say to each other. */
#define PROTOCOL FUSELAGE_VERSION " 3"

/* Who nobody in particular is, and everybody whom a user namespace does not map. */
#define OVERFLOW_ID 65534

#define CGROUP_MAX 4096

/* Added to the kind of a namespace that maps others than the caller: its mounts show other owners. */
#define RANGE 16

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

/* Where whoever is elsewhere may have other files, other processes or other rights. */
static const char namespaces[][sizeof "/proc/self/ns/user"] = {
	"/proc/self/ns/user",
	"/proc/self/ns/mnt",
	"/proc/self/ns/pid",
	"/proc/self/ns/net",
};

#define NAMESPACES (sizeof namespaces / sizeof *namespaces)

/* What the two must have in common, besides the type of mount and the control group. */
struct common {
	char protocol[sizeof PROTOCOL];
	struct stat image;
	uint64_t offset, kind, cache_bytes;
	uint64_t namespaces[NAMESPACES];
	uint64_t lock_device, lock;
	uid_t uid, uid_inside;
	gid_t gid, gid_inside;
	int priority;
};

/* Without what is not known here: who asks, and for what. */
static bool describe(const struct share *share, const struct archive *archive,
		     struct common *common)
{
	struct stat st;

	memset(common, 0, sizeof *common);
	if (!file_state_read(archive->fd, &common->image) ||
	    !file_state_has_settled(&common->image, FILE_STATE_SHARED) ||
	    fstat(share->lock, &st) < 0)
		return false;
	memcpy(common->protocol, PROTOCOL, sizeof PROTOCOL);
	common->offset = archive->offset;
	common->lock_device = st.st_dev;
	common->lock = st.st_ino;
	common->priority = getpriority(PRIO_PROCESS, 0);
	for (size_t i = 0; i < NAMESPACES; i++) {
		if (stat(namespaces[i], &st) < 0)
			return false;
		common->namespaces[i] = st.st_ino;
	}
	return !is_limited();
}

static void sign(const struct identity *identity, const struct share_terms *terms,
		 struct common *common)
{
	common->kind = identity->kind + (identity_has_range(identity) ? RANGE : 0);
	common->cache_bytes = terms->cache_bytes;
	common->uid = identity->caller.uid;
	common->uid_inside = identity->uid;
	common->gid = identity->caller.gid;
	common->gid_inside = identity->gid;
}

bool share_address(struct share *share, const struct identity *identity,
		   const struct share_terms *terms, const struct archive *archive)
{
	struct share_address *address = &share->address;
	static const char digits[] = "0123456789abcdef";
	const char *type = terms->mount_type;
	OWNED_FD file = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);
	char cgroup[CGROUP_MAX];
	ssize_t length = file < 0 ? -1 : read(file, cgroup, sizeof cgroup);
	struct common common;
	struct sha256 hash;
	uint8_t digest[SHA256_SIZE];

	if (length < 0 || length == CGROUP_MAX || identity->caller.uid == OVERFLOW_ID ||
	    !describe(share, archive, &common))
		return false;
	sign(identity, terms, &common);
	sha256_init(&hash);
	sha256_update(&hash, &common, sizeof common);
	sha256_update(&hash, type, strlen(type) + 1);
	/* Which is part of the path, where that is the first start's. */
	if (identity->kind == NAMESPACE_NONE)
		sha256_update(&hash, archive->name, strlen(archive->name) + 1);
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
	memcpy(address->mark, digest, sizeof address->mark);
	address->size = (socklen_t)(name - (char *)&address->socket);
	return true;
}
