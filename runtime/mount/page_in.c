#include "mount/page_in.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/child.h"
#include "base/owned.h"
#include "cache/store.h"
#include "fuse/start_list.h"

#define MOUNT CACHE_FIRST_FD
#define APP (CACHE_FIRST_FD + 1) /* a handle of its process */

/* As with the FUSE server's threads (fuse/prefetch.c). */
#define LESS_CLAIM 10
#define BYTES_MOST (UINT64_C(512) << 20)

/* The handles that the kernel makes of inodes in general (exportfs.h), as squashfs takes them. */
#define FILEID_INO32_GEN 1

struct job {
	const struct identity *identity;
	const struct page_in *wanted;
	int mount, app;
};

/* The file of this number. -1: there is none, or it is none. */
static int open_inode(uint32_t number)
{
	union {
		struct file_handle handle;
		char space[sizeof(struct file_handle) + 2 * sizeof(uint32_t)];
	} at = { .space = { 0 } };
	struct stat st;

	at.handle.handle_bytes = 2 * sizeof number; /* and its generation, 0 */
	at.handle.handle_type = FILEID_INO32_GEN;
	memcpy(at.space + sizeof(struct file_handle), &number, sizeof number);
	OWNED_FD file = open_by_handle_at(MOUNT, &at.handle, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (file < 0 || fstat(file, &st) < 0 || !S_ISREG(st.st_mode))
		return -1;
	return steal_fd(&file);
}

static bool is_over(void)
{
	return poll(&(struct pollfd){ .fd = APP, .events = POLLIN }, 1, 0) != 0;
}

/*
 * Adds to *done. False when there is no more to be done. The kernel has all of a block for any page of it;
 * asked for all pages it has the block that follows too (squashfs_readahead of Linux 6.x), so half of them are
 * asked for.
 */
static bool have(int file, const struct start_run *run, unsigned log, uint64_t *done)
{
	uint64_t last = ((run->first + run->pages) * START_LIST_PAGE - 1) >> log;

	for (uint64_t at = run->first * START_LIST_PAGE >> log; at <= last; at++) {
		off_t half = (off_t)1 << (log - 1);
		*done += UINT64_C(1) << log;
		if (*done > BYTES_MOST || is_over())
			return false;
		if (posix_fadvise(file, (off_t)(at << log), half, POSIX_FADV_WILLNEED) != 0)
			break;
	}
	return true;
}

static int page_in_main(void *argument)
{
	const struct job *job = argument;
	const struct page_in *wanted = job->wanted;
	const int fds[] = { job->mount, job->app };
	struct start_list list;
	struct start_run run;
	uint32_t number = 0;
	uint64_t done = 0;
	OWNED_FD file = -1;

	/* Where it keeps nothing of the start's but the mount that it reads. */
	if (setns(wanted->host_namespace, CLONE_NEWNS) < 0)
		return 1;
	cache_detach(fds, 2, &job->identity->caller);
	prctl(PR_SET_NAME, "fuselage-page-in", 0, 0, 0);
	setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + LESS_CLAIM);
	start_list_open(&list, wanted->list, wanted->size);
	while (start_list_next(&list, &run)) {
		if (kept_find(wanted->kept, run.number)->number)
			continue;
		if (run.number != number) {
			close(file);
			file = open_inode(number = run.number);
		}
		if (file >= 0 && !have(file, &run, wanted->block_log, &done))
			break;
	}
	return 0;
}

void page_in_start(const struct identity *identity, const struct page_in *wanted)
{
	struct job job = { identity, wanted, -1, -1 };

	if (!wanted->size || wanted->host_namespace < 0 || identity->caller.setuid ||
	    child_adopts())
		return;
	OWNED_FD mount = open(wanted->target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	OWNED_FD app = (int)syscall(SYS_pidfd_open, getpid(), 0);
	job.mount = mount;
	job.app = app;
	if (mount >= 0 && app >= 0)
		child_leave(page_in_main, &job);
}
