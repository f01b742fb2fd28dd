#include "mount/strategies.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bundle/image_failure.h"
#include "base/bytes.h"
#include "base/descriptors.h"
#include "base/owned.h"
#include "cache/starts.h"
#include "cache/trees.h"
#include "flavour/flavour.h"
#include "fuse/fusermount.h"
#include "kernel/detached_mount.h"
#include "kernel/loop.h"
#include "kernel/namespace.h"
#include "kernel/mount_point.h"
#include "mount/page_in.h"
#include "share/holder.h"
#include "generated/names.h"

struct attempt {
	struct mounting *mounting;
	struct image_mount *image;
	const char *target; /* NULL: detached */
};

/* The mount itself, which is the same by every strategy. Returns 0, or -1 and errno. */
static int carry_out(struct attempt *attempt, struct mount_call *call, struct failure *failure)
{
	const struct fuse_options *chosen = &attempt->mounting->fuse;

	if (chosen->noexec)
		call->flags |= MS_NOEXEC;
	if (flavour_is_runner)
		call->flags |= (chosen->suid ? MOUNT_WITH_SUID : 0) |
			       (chosen->dev ? MOUNT_WITH_DEV : 0);
	if (attempt->target)
		return mount_point_mount(attempt->mounting->identity, attempt->target, call);
	attempt->image->detached = detached_mount(call, failure);
	return attempt->image->detached < 0 ? -1 : 0;
}

static void undo(struct attempt *attempt)
{
	if (attempt->target)
		mount_point_unmount(attempt->mounting->identity, attempt->target);
	else
		close(steal_fd(&attempt->image->detached));
}

/* What the strategy is not for. */
static int refuse(struct failure *failure, const char *why)
{
	fail(failure, FUSELAGE_E_MOUNT_REFUSED, "%s", why);
	return fail_cause(failure, FUSELAGE_CAUSE_UNSUITABLE);
}

/* What was read is known to our server alone. */
static int refuse_recording(struct failure *failure)
{
	return refuse(failure, "is not served by FUSE, so nothing is recorded");
}

static int refuse_user(const struct mounting *mounting, const char *more, struct failure *failure)
{
	fail(failure, FUSELAGE_E_MOUNT_REFUSED,
	     "needs CAP_SYS_ADMIN (running as uid %u without it)%s",
	     (unsigned)mounting->identity->caller.uid, more);
	return fail_cause(failure, FUSELAGE_CAUSE_ADMIN);
}

static int loop_device(const struct mounting *mounting, const struct archive *archive, char *path,
		       struct failure *failure)
{
	const struct sqfs_super *super = &archive->fs.super;

	if (mounting->identity->kind != NAMESPACE_PRIVILEGED)
		return refuse_user(mounting, "", failure);
	if (!namespace_is_initial(&mounting->identity->caller)) {
		fail(failure, FUSELAGE_E_MOUNT_REFUSED,
		     "needs CAP_SYS_ADMIN in the initial user namespace");
		return fail_cause(failure, FUSELAGE_CAUSE_ADMIN);
	}
	/* The device is as long as whole sectors of it; an unpadded image would lose its end. */
	if (((archive->size - archive->offset) & ~UINT64_C(511)) < super->bytes_used)
		return refuse(failure, "the image is not padded to whole 512-byte sectors");
	uint64_t size = (super->bytes_used + 4095) & ~UINT64_C(4095);
	privileges_raise(&mounting->identity->caller);
	int device = loop_attach(archive->fd, archive->offset, size, path, failure);
	privileges_lower(&mounting->identity->caller);
	return device;
}

/*
 * xz behind a filter for machine code. Which filters a kernel has is a matter of its configuration: it
 * mounts an image whose blocks it cannot read. The options stand in a metadata block behind the
 * superblock: the size of the dictionary, a bit for each filter.
 */
static bool has_filters(const struct archive *archive)
{
	const struct sqfs_super *super = &archive->fs.super;
	uint8_t options[2 + 4 + 4];

	return super->compressor == SQFS_XZ && super->flags & SQFS_FLAG_OPTIONS &&
	       pread_full(archive->fd, options, sizeof options,
			  archive->offset + SQFS_SUPER_SIZE) == (ssize_t)sizeof options &&
	       le32(options + 6) != 0;
}

/* What is known of this image's starts is made ready; nobody learns here, for nobody sees what is read. */
static void page_in(const struct attempt *attempt)
{
	const struct mounting *mounting = attempt->mounting;
	const struct archive *archive = attempt->image->archive;
	struct learned_start learned = { .file = -1 };
	struct page_in wanted = {
		attempt->target, mounting->host_namespace, archive->fs.super.block_log,
		mounting->kept,	 archive->start,	   archive->start_size
	};
	time_t used;

	if (!mounting->starts || !attempt->target)
		return;
	if (!archive->start && mounting->learn) {
		starts_look(&learned, mounting->home, &archive->fs, mounting->identity->caller.uid,
			    &used);
		wanted.list = learned.list;
		wanted.size = learned.size;
	}
	page_in_start(mounting->identity, &wanted);
	starts_close(&learned);
}

/* The kernel's own squashfs over a loop device: nothing of ours is left running. */
static int try_loop(struct attempt *attempt, struct failure *failure)
{
	struct mounting *mounting = attempt->mounting;
	const struct archive *archive = attempt->image->archive;
	char path[LOOP_PATH_MAX];
	const char *contexts = flavour_is_runner ? mounting->fuse.contexts : "";
	struct mount_call call = { path, "squashfs", MS_RDONLY, *contexts ? contexts : NULL };

	if (mounting->record >= 0)
		return refuse_recording(failure);
	if (mounting->identity->caller.setuid && !mounting->policy.loop)
		return fail(failure, FUSELAGE_E_MOUNT_REFUSED,
			    "/etc/fuselage.conf says loop = never");
	if (attempt->image->one_owner)
		return fail(
			failure, FUSELAGE_E_MOUNT_REFUSED,
			"the kernel shows the image's owners: uid= and gid= are for fuse, and so "
			"are writable copies");
	if (strcmp(mounting->type, "auto") == 0 && has_filters(archive))
		return refuse(failure, "xz with BCJ filters, which kernels may lack");
	OWNED_FD device = loop_device(mounting, archive, path, failure);
	if (device < 0)
		return -1;
	if (carry_out(attempt, &call, failure) == 0) {
		page_in(attempt);
		return 0;
	}
	fail_errno(failure, FUSELAGE_E_MOUNT_REFUSED,
		   "%s: squashfs (%s) cannot be mounted by this kernel", path,
		   sqfs_compressor_name(archive->fs.super.compressor));
	return fail_cause(failure, FUSELAGE_CAUSE_KERNEL_SQUASHFS);
}

static int fork_server(const struct mounting *mounting, struct image_mount *image, bool one_owner,
		       int host_namespace, struct failure *failure)
{
	const struct archive *archive = image->archive;
	struct learned_start learned = { .file = -1 };
	struct fuse_service service = {
		.fs = &archive->fs,
		.cache_bytes = mounting->fuse.cache_bytes,
		.threads = mounting->fuse.threads,
		.one_owner = one_owner,
		.host_namespace = host_namespace,
		.record = mounting->record >= 0,
		.kept = mounting->kept,
		.output = mounting->record,
	};

	/* Of what is known of a start, the program is a part. */
	if (!service.record && mounting->starts && !archive->start) {
		service.entry = archive->entry;
		service.entry_size = archive->entry_size;
	}
	if (service.record || !mounting->starts) {
		/* nothing but what is asked for */
	} else if (archive->start) {
		service.list = archive->start;
		service.list_size = archive->start_size;
	} else if (mounting->learn) {
		starts_open(&learned, mounting->home, &archive->fs, mounting->identity->caller.uid);
		service.output = learned.file;
		service.list = learned.list;
		service.list_size = learned.size;
	}
	int result = fuse_server_start(mounting->identity, &service, &image->server, failure);
	starts_close(&learned);
	return result;
}

/* A user's is there already, unless a mount was to be shared and is not. */
static int start_server(struct attempt *attempt, struct failure *failure)
{
	struct mounting *mounting = attempt->mounting;
	struct image_mount *image = attempt->image;
	bool user = mounting->identity->kind == NAMESPACE_USER;
	int where = FUSE_SERVER_EMPTY_NAMESPACE;

	if (mounting->identity->kind == NAMESPACE_NONE)
		return fail_as(failure, &mounting->refusal);
	if (image->destination != MOUNT_IN_START && user)
		return refuse_user(mounting, "; fusermount does not", failure);
	if (image->server.socket >= 0)
		return 0;
	/* In a user namespace there is no way back to where it would have been started. */
	if (image->destination == MOUNT_IN_START && !user)
		where = mounting->host_namespace;
	if (where == FUSE_SERVER_STAYS)
		return fail(failure, FUSELAGE_E_MOUNT_REFUSED,
			    "the host's mount namespace cannot be kept open for the server");
	bool alone = user && !identity_has_range(mounting->identity);
	return fork_server(mounting, image,
			   image->one_owner || mounting->identity->caller.setuid || alone, where,
			   failure);
}

static int mount_and_serve(struct attempt *attempt, int device, struct failure *failure)
{
	struct mounting *mounting = attempt->mounting;
	struct image_mount *image = attempt->image;
	bool in_start = image->destination == MOUNT_IN_START;
	char options[128 + FUSE_CONTEXTS_MAX];
	struct mount_call call = { image->source, FUSE_TYPE, MS_RDONLY, options };
	const char *contexts = flavour_is_runner ? mounting->fuse.contexts : "";

	/* The caller, as this namespace has him; what root mounts is there for everyone. */
	snprintf(options, sizeof options, FUSE_MOUNT_OPTIONS, device,
		 (unsigned)(in_start ? mounting->identity->uid : mounting->identity->caller.uid),
		 (unsigned)(in_start ? mounting->identity->gid : mounting->identity->caller.gid));
	if (*contexts)
		snprintf(options + strlen(options), sizeof options - strlen(options), ",%s",
			 contexts);
	if (carry_out(attempt, &call, failure) < 0)
		return fail_errno(failure, FUSELAGE_E_MOUNT_REFUSED, "FUSE mount at %s",
				  attempt->target ? attempt->target : "no path yet");
	if (fuse_mount_serve(&image->server, device, failure) == 0)
		return 0;
	undo(attempt);
	return -1;
}

static int try_fuse(struct attempt *attempt, struct failure *failure)
{
	if (start_server(attempt, failure) < 0)
		return -1;
	/* Opened here: the kernel wants it from the user namespace that mounts. */
	OWNED_FD device = fuse_open_device(failure);
	if (device >= 0 && mount_and_serve(attempt, device, failure) == 0)
		return 0;
	fuse_mount_close(&attempt->image->server);
	return -1;
}

/* The list for fusermount3, in which a comma and a backslash in the name of the file count. */
static void fusermount_options(const struct attempt *attempt, char *options)
{
	const struct fuse_options *chosen = &attempt->mounting->fuse;
	/* What root mounts is there for everyone who may go there. */
	bool everyone = chosen->allow_other || attempt->mounting->identity->caller.uid == 0;
	char *out = options +
		    snprintf(options, sizeof FUSERMOUNT_OPTIONS + 32,
			     FUSERMOUNT_OPTIONS "%s%s,fsname=", everyone ? ",allow_other" : "",
			     chosen->noexec ? ",noexec" : "");

	for (const char *in = attempt->image->source; *in; in++) {
		if (*in == ',' || *in == '\\')
			*out++ = '\\';
		*out++ = *in;
	}
	*out = 0;
}

/* The setuid helper of libfuse: on the host, where the others are refused. */
static int try_fusermount(struct attempt *attempt, struct failure *failure)
{
	struct mounting *mounting = attempt->mounting;
	struct image_mount *image = attempt->image;
	char options[sizeof FUSERMOUNT_OPTIONS + 32 + 2 * PATH_MAX];
	char message[FUSERMOUNT_MESSAGE_MAX];
	int result = -1;

	if (image->destination == MOUNT_IN_START && mounting->identity->kind != NAMESPACE_NONE)
		return refuse(failure, "cannot mount into a private namespace");
	if (!attempt->target)
		return refuse(failure, "makes no detached mounts");
	if (flavour_is_runner &&
	    (mounting->fuse.suid || mounting->fuse.dev || *mounting->fuse.contexts))
		return refuse(failure, "takes no suid, dev or context");
	fuse_mount_close(&image->server); /* one that would not be where this process is */
	/* A user could not read what only the image's owner may. */
	if (fork_server(mounting, image,
			image->one_owner || mounting->identity->kind != NAMESPACE_PRIVILEGED,
			FUSE_SERVER_STAYS, failure) < 0)
		return -1;
	fusermount_options(attempt, options);
	struct fusermount helper;
	OWNED_FD device = fusermount_mount(&mounting->identity->caller, attempt->target, options,
					   &helper, failure);
	if (device >= 0) {
		result = fuse_mount_serve(&image->server, device, failure);
		fusermount_end(&helper);
		if (result < 0)
			fusermount_unmount(attempt->target, true, message);
	}
	if (result < 0)
		fuse_mount_close(&image->server);
	return result;
}

int image_serve(struct mounting *mounting, struct image_mount *image, int device,
		struct failure *failure)
{
	bool privileged = mounting->identity->kind == NAMESPACE_PRIVILEGED;
	const char *wanted = mounting->type;

	if (strcmp(wanted, "auto") != 0 && strcmp(wanted, "fuse") != 0)
		return fail(failure, FUSELAGE_E_MOUNT_OPTION,
			    "%s: a device that is mounted already is served by fuse", wanted);
	if (fork_server(mounting, image, image->one_owner || !privileged,
			privileged ? FUSE_SERVER_EMPTY_NAMESPACE : FUSE_SERVER_STAYS, failure) < 0)
		return -1;
	int result = fuse_mount_serve(&image->server, device, failure);
	fuse_mount_close(&image->server);
	mounting->strategy = "fuse";
	return result;
}

/*
 * Everything into memory: slow to start and large, but it asks for nothing but a namespace. Without
 * one to disk, where it stays for later starts.
 */
static int try_extract(struct attempt *attempt, struct failure *failure)
{
	struct archive *archive = attempt->image->archive;

	if (attempt->mounting->record >= 0)
		return refuse_recording(failure);
	fuse_mount_close(&attempt->image->server);
	if (attempt->mounting->identity->kind == NAMESPACE_NONE)
		return image_on_disk(attempt->mounting, archive, failure);
	return image_extract(attempt->mounting, archive, attempt->target, true, failure);
}

struct extraction_job {
	const struct archive *archive;
	const char *target;
};

static int extract_into(void *context, struct failure *failure)
{
	const struct extraction_job *job = context;
	OWNED_FD dir = open(job->target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return fail_errno(failure, FUSELAGE_E_MOUNT_REFUSED, "%s", job->target);
	return archive_extract(job->archive, dir, failure);
}

int image_extract(struct mounting *mounting, const struct archive *archive, const char *target,
		  bool read_only, struct failure *failure)
{
	struct extraction_job job = {
		.archive = archive,
		.target = target,
	};

	if (mount_point_tmpfs(mounting->identity, target) < 0)
		return fail_errno(failure, FUSELAGE_E_MOUNT_REFUSED, "%s: tmpfs cannot be mounted",
				  target);
	if (privileges_isolated(&mounting->identity->caller, extract_into, &job, failure) < 0) {
		mount_point_unmount(mounting->identity, target);
		return fail_cause(failure, FUSELAGE_CAUSE_EXTRACTION);
	}
	if (read_only && mount_point_read_only(mounting->identity, target) < 0)
		return fail_errno(failure, FUSELAGE_E_MOUNT_REFUSED,
				  "%s: tmpfs cannot be made read-only", target);
	return 0;
}

int image_on_disk(const struct mounting *mounting, struct archive *archive, struct failure *failure)
{
	return cache_tree_place(archive, &mounting->identity->caller, mounting->home,
				mounting->janitor, failure);
}

static const struct strategy {
	const char *name;
	int (*try)(struct attempt *attempt, struct failure *failure);
	bool shared; /* with later starts */
	bool host; /* can leave a mount */
} strategies[] = {
#define ROW(name, shared, host) { #name, try_##name, shared, host },
	FUSELAGE_STRATEGIES(ROW)
#undef ROW
};

#define STRATEGY_COUNT (sizeof strategies / sizeof *strategies)

static bool is_wanted(const struct mounting *mounting, const char *strategy)
{
	const char *wanted = mounting->type;

	return strcmp(wanted, "auto") == 0 || strcmp(wanted, strategy) == 0;
}

void image_mount_init(struct image_mount *image, struct archive *archive,
		      enum mount_destination destination)
{
	*image = (struct image_mount){
		.archive = archive,
		.destination = destination,
		.source = "fuselage",
		.server.socket = -1,
		.detached = -1,
	};
}

int image_mount_prepare(const struct mounting *mounting, struct image_mount *image,
			struct failure *failure)
{
	if (mounting->identity->kind != NAMESPACE_USER || mounting->share.joined ||
	    !is_wanted(mounting, "fuse"))
		return 0;
	return fork_server(mounting, image, !identity_has_range(mounting->identity),
			   FUSE_SERVER_STAYS, failure);
}

/* By one strategy. The start and its share know afterwards. */
static int attach_by(const struct strategy *strategy, struct attempt *attempt,
		     struct failure *failure)
{
	struct mounting *mounting = attempt->mounting;
	struct image_mount *image = attempt->image;

	if (!strategy->shared)
		share_close(&mounting->share);
	if (strategy->try(attempt, failure) < 0)
		return -1;
	mounting->strategy = strategy->name;
	if (mounting->share.listener >= 0) {
		const struct held held = { strategy->name, attempt->target, image->server.socket,
					   mounting->janitor };
		holder_start(&mounting->share, mounting->identity, image->archive, &held);
	}
	if (!mounting->fuse.auto_unmount || image->destination != MOUNT_ON_HOST)
		fuse_mount_close(&image->server);
	return 0;
}

/* What another start keeps. Returns 0, or -1: mount it. */
static int attach_shared(struct mounting *mounting, struct archive *archive, const char *target)
{
	struct share *share = &mounting->share;
	char path[PATH_MAX];

	if (share->mount < 0)
		return -1;
	mounting->strategy = share->strategy;
	if (mounting->identity->kind != NAMESPACE_NONE)
		return share_attach(share, mounting->identity, target);
	OWNED_FD root = share_find_path(share, path);
	if (root < 0 || archive_move(archive, path) < 0) {
		mkdir(target, 0755); /* to mount on: so far nobody has made it */
		return -1;
	}
	/* In the socket's queue it is open until the janitor ends: the mount lasts as long. */
	(void)send_descriptor(mounting->janitor, root);
	return 0;
}

int image_mount_attach(struct mounting *mounting, struct image_mount *image, const char *target,
		       struct failure *failure)
{
	struct attempt attempt = { mounting, image, target };
	const char *wanted = mounting->type;
	struct failure *reason = &mounting->refused;
	char reasons[sizeof failure->text] = "";
	size_t used = 0;
	int error = 0;

	if (attach_shared(mounting, image->archive, target) == 0)
		return 0;
	for (size_t i = 0; i < STRATEGY_COUNT; i++) {
		const struct strategy *strategy = &strategies[i];
		if (!is_wanted(mounting, strategy->name) ||
		    (image->destination != MOUNT_IN_START && !strategy->host))
			continue;
		failure_clear(reason);
		if (attach_by(strategy, &attempt, reason) == 0)
			return 0;
		/* The same for all of them; the next would only hide it. */
		if (is_image_failure(reason))
			return fail_as(failure, reason);
		if (reason->error)
			error = reason->error;
		int n = snprintf(reasons + used, sizeof reasons - used, "\n  %s: %.300s",
				 strategy->name, reason->text);
		if (n > 0 && (size_t)n < sizeof reasons - used)
			used += (size_t)n;
	}
	if (!used) /* not E_MOUNT_REFUSED: the word is at fault, not the machine */
		return fail(failure, FUSELAGE_E_MOUNT_OPTION,
			    "%s leaves no mount: expected " FUSELAGE_HOST_MOUNT_TYPES, wanted);
	fail(failure, FUSELAGE_E_MOUNT_REFUSED, "%.300s: the image cannot be mounted here (%s)%s",
	     image->archive->file, wanted, reasons);
	failure->error = error;
	return -1;
}
