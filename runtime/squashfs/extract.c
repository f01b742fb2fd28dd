/*
 * The walk over the image: it makes the directories, and jobs of everything else.
 *
 * It keeps its own stack, one open directory a level, and names every file relative to the
 * directory it made itself. Permissions and times of directories are set when all is there.
 */
#include "squashfs/extract.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "squashfs/census.h"
#include "squashfs/extract_work.h"
#include "squashfs/reader.h"

#define DEPTH_MAX 256
#define JOB_BYTES (1u << 20)
/* Files of that size are written in parts. */
#define BIG_BYTES (8u << 20)
#define PART_BYTES (2u << 20) /* a multiple of every block size */

struct level {
	struct sqfs_inode inode;
	uint64_t cookie;
	struct extract_dir *dir;
	size_t path_length; /* of the directory's path, to go back to */
};

/* What a directory gets at the end. */
struct pending {
	struct sqfs_inode inode;
	size_t depth; /* 1: below the root */
	bool wanted; /* itself, not only for what is in it */
	char *name;
};

struct extraction {
	struct extractor own; /* the walk's own */
	struct extract_queue queue;
	struct extract_job *job; /* being filled, or NULL */
	atomic_uint_least64_t left_out[EXTRACT_COUNTS];
	struct stat made;
	int root; /* borrowed */
	uint64_t entries;
	struct sqfs_census census; /* the value of an inode with several links is its first path */
	struct level levels[DEPTH_MAX];
	size_t depth;
	struct pending *pending;
	size_t pending_count;
	size_t pending_room;
	char path[PATH_MAX];
};

static int push_path(struct extraction *walk, const char *name)
{
	size_t used = strlen(walk->path);
	size_t more = strlen(name);

	if (used + 1 + more >= sizeof walk->path) {
		errno = ENAMETOOLONG;
		return extract_system_failure(&walk->own);
	}
	if (used)
		walk->path[used++] = '/';
	memcpy(walk->path + used, name, more + 1);
	return 0;
}

static void post(struct extraction *walk)
{
	if (walk->job)
		extract_queue_post(&walk->queue);
	walk->job = NULL;
}

static struct extract_job *new_job(struct extraction *walk, struct extract_dir *dir)
{
	post(walk);
	walk->job = extract_queue_place(&walk->queue);
	walk->job->dir = dir;
	atomic_fetch_add(&dir->users, 1);
	return walk->job;
}

static void add_file(struct extraction *walk, struct extract_dir *dir, const char *name,
		     const struct sqfs_inode *inode, bool made)
{
	struct extract_job *job = walk->job;

	if (!job || job->dir != dir || job->count == JOB_FILES || job->bytes >= JOB_BYTES)
		job = new_job(walk, dir);
	job->files[job->count].inode = *inode;
	job->files[job->count].made = made;
	strcpy(job->files[job->count].name, name);
	job->count++;
	if (inode->type == SQFS_FILE)
		job->bytes += inode->size;
}

/* Sets its size first: the parts come in any order. */
static int add_big_file(struct extraction *walk, struct extract_dir *dir, const char *name,
			const struct sqfs_inode *inode, bool made)
{
	int fd = extract_open_file(&walk->own, dir->fd, name, inode, made);
	struct extract_big *big = fd < 0 ? NULL : malloc(sizeof *big);

	if (fd < 0)
		return -1;
	if (!big || ftruncate(fd, (off_t)inode->size) < 0) {
		if (big)
			extract_system_failure(&walk->own);
		else
			extract_image_failure(&walk->own, SQFS_ENOMEM);
		free(big);
		close(fd);
		return -1;
	}
	*big = (struct extract_big){ .fd = fd, .inode = *inode, .users = 1 };
	for (uint64_t start = 0; start < inode->size && !extract_queue_failed(&walk->queue);
	     start += PART_BYTES) {
		struct extract_job *job = new_job(walk, dir);
		uint64_t left = inode->size - start;
		strcpy(job->files[0].name, name);
		atomic_fetch_add(&big->users, 1);
		job->big = big;
		job->start = start;
		job->end = start + (left < PART_BYTES ? left : PART_BYTES);
		job->bytes = job->end - start;
		post(walk);
	}
	return extract_big_release(&walk->own, &walk->queue, big);
}

static int enter_directory(struct extraction *walk, const struct sqfs_inode *inode, int fd,
			   size_t path_length)
{
	size_t length = strlen(walk->path);

	if (walk->depth == DEPTH_MAX)
		return extract_image_failure(&walk->own, SQFS_ELOOP);
	struct extract_dir *dir = malloc(sizeof *dir + length + 1);
	if (!dir)
		return extract_image_failure(&walk->own, SQFS_ENOMEM);
	dir->fd = fd;
	atomic_init(&dir->users, 1);
	memcpy(dir->path, walk->path, length + 1);
	walk->levels[walk->depth++] = (struct level){ *inode, 0, dir, path_length };
	return 0;
}

/* The entry at the walk's path. */
static bool is_wanted(const struct extraction *walk)
{
	const struct extract_options *options = walk->own.options;

	return !options->wanted || options->wanted(options->wanted_context, walk->path);
}

static int note_pending(struct extraction *walk, const struct sqfs_inode *inode, const char *name)
{
	if (walk->pending_count == walk->pending_room) {
		size_t room = walk->pending_room ? walk->pending_room * 2 : 64;
		struct pending *larger = realloc(walk->pending, room * sizeof *larger);
		if (!larger)
			return extract_image_failure(&walk->own, SQFS_ENOMEM);
		walk->pending = larger;
		walk->pending_room = room;
	}
	char *copy = strdup(name);
	if (!copy)
		return extract_image_failure(&walk->own, SQFS_ENOMEM);
	walk->pending[walk->pending_count++] =
		(struct pending){ *inode, walk->depth, is_wanted(walk), copy };
	return 0;
}

static int make_directory(struct extraction *walk, int dir, const char *name,
			  const struct sqfs_inode *inode, size_t path_length)
{
	if (mkdirat(dir, name, 0700) < 0)
		return extract_system_failure(&walk->own);
	int fd = extract_open(dir, name, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return extract_system_failure(&walk->own);
	if (note_pending(walk, inode, name) < 0 ||
	    enter_directory(walk, inode, fd, path_length) < 0) {
		close(fd);
		return -1;
	}
	return 0;
}

static int link_to(struct extraction *walk, const char *first, int dir, const char *name)
{
	char parent[PATH_MAX];
	const char *slash = strrchr(first, '/');
	int from = walk->root, result;

	if (slash) {
		memcpy(parent, first, (size_t)(slash - first));
		parent[slash - first] = 0;
		from = extract_open(walk->root, parent, O_PATH | O_DIRECTORY, 0);
		first = slash + 1;
	}
	if (from < 0)
		return extract_system_failure(&walk->own);
	result = linkat(from, first, dir, name, 0);
	int error = errno;
	if (from != walk->root)
		close(from);
	errno = error;
	return result < 0 ? extract_system_failure(&walk->own) : 0;
}

/*
 * The first of several links is made at once, empty if it is a file, so that the others need not
 * wait for its contents.
 */
static int make_linked(struct extraction *walk, const struct extract_dir *dir, const char *name,
		       const struct sqfs_inode *inode, const char *first)
{
	if (first)
		return link_to(walk, first, dir->fd, name);
	if (inode->type == SQFS_FILE)
		return extract_placeholder(&walk->own, dir->fd, name);
	return extract_entry(&walk->own, dir->fd, name, inode);
}

static int make_entry(struct extraction *walk, struct level *level, const struct sqfs_entry *entry,
		      size_t path_length)
{
	struct inode_map_entry *names;
	struct sqfs_inode inode;
	int error = sqfs_inode_read(walk->own.reader, entry->ref, &inode);

	if (!error && (inode.type != entry->type || inode.number != entry->number))
		error = SQFS_EDIRECTORY;
	if (!error)
		error = sqfs_census_add(&walk->census, walk->own.reader, entry, &inode, &names);
	if (error)
		return extract_image_failure(&walk->own, error);
	if (inode.type == SQFS_DIR) {
		walk->entries++;
		return make_directory(walk, level->dir->fd, entry->name, &inode, path_length);
	}
	bool linked = inode.nlink > 1;
	const char *first = names->value;
	if (!is_wanted(walk))
		return 0;
	if (linked && !first && !(names->value = strdup(walk->path)))
		return extract_image_failure(&walk->own, SQFS_ENOMEM);
	if (!extract_filter(&walk->own, &inode, !first))
		return 0;
	walk->entries++;
	if (linked && make_linked(walk, level->dir, entry->name, &inode, first) < 0)
		return -1;
	if (first || (linked && inode.type != SQFS_FILE))
		return 0;
	if (inode.type == SQFS_FILE && inode.size >= BIG_BYTES)
		return add_big_file(walk, level->dir, entry->name, &inode, linked);
	add_file(walk, level->dir, entry->name, &inode, linked);
	return 0;
}

static void leave_directory(struct extraction *walk)
{
	struct level *level = &walk->levels[--walk->depth];

	extract_dir_release(level->dir);
	walk->path[level->path_length] = 0;
}

static int walk_image(struct extraction *walk)
{
	while (walk->depth) {
		struct level *level = &walk->levels[walk->depth - 1];
		size_t depth = walk->depth;
		struct sqfs_entry entry;
		int found = sqfs_dir_next(walk->own.reader, &level->inode, level->cookie, &entry);

		if (found < 0)
			return extract_image_failure(&walk->own, found);
		if (found == 0) {
			post(walk);
			leave_directory(walk);
			continue;
		}
		if (extract_check_interrupted(&walk->own) < 0)
			return -1;
		if (extract_queue_failed(&walk->queue))
			return 0;
		size_t path_length = strlen(walk->path);
		level->cookie = entry.next;
		if (push_path(walk, entry.name) < 0 ||
		    make_entry(walk, level, &entry, path_length) < 0)
			return -1;
		if (walk->depth == depth)
			walk->path[path_length] = 0;
	}
	return 0;
}

/*
 * Every one of them by its own descriptor: its attributes, then on to its parent. One that was made
 * in case that something in it is wanted goes if it is empty. `pending` is NULL for the root.
 */
static int set_directory(struct extraction *walk, int fd, struct sqfs_inode *inode, int parent,
			 const struct pending *pending)
{
	struct extractor *extractor = &walk->own;

	if (pending && !pending->wanted && unlinkat(parent, pending->name, AT_REMOVEDIR) == 0) {
		walk->entries--;
		return 0;
	}
	extract_filter(extractor, inode, true);
	return extract_attributes(extractor, fd, inode, extract_wants_owner(extractor, inode),
				  true);
}

/*
 * Parents after their children, for the mode may take away the right to enter. The list is in the
 * order of the walk, so that a stack of descriptors finds them again.
 */
static int finish_directories(struct extraction *walk, struct sqfs_inode *root)
{
	struct {
		int fd;
		size_t path_length;
		struct sqfs_inode *inode;
		const struct pending *pending;
	} open[DEPTH_MAX] = { { walk->root, 0, root, NULL } };
	size_t depth = 1;
	int result = 0;

	walk->path[0] = 0;
	for (size_t i = 0; i <= walk->pending_count && result == 0; i++) {
		struct pending *pending = &walk->pending[i];
		size_t parent = i < walk->pending_count ? pending->depth : 0;
		while (result == 0 && depth > parent) {
			depth--;
			result = set_directory(walk, open[depth].fd, open[depth].inode,
					       depth ? open[depth - 1].fd : -1,
					       open[depth].pending);
			if (depth)
				close(open[depth].fd);
			if (result == 0)
				walk->path[open[depth].path_length] = 0;
		}
		if (result < 0 || i == walk->pending_count)
			break;
		open[depth].path_length = strlen(walk->path);
		open[depth].inode = &pending->inode;
		open[depth].pending = pending;
		result = push_path(walk, pending->name);
		if (result == 0)
			result = extract_check_interrupted(&walk->own);
		if (result < 0)
			break;
		open[depth].fd =
			extract_open(open[depth - 1].fd, pending->name, O_RDONLY | O_DIRECTORY, 0);
		if (open[depth].fd < 0)
			result = extract_system_failure(&walk->own);
		else
			depth++;
	}
	while (depth > 1)
		close(open[--depth].fd);
	return result;
}

static void report_failure(struct extraction *walk, struct extract_report *report)
{
	const struct extract_failure *failure = &walk->queue.failure;

	report->error = failure->error;
	report->system_error = failure->system_error;
	strcpy(report->path, failure->path);
	strcpy(walk->own.reader->fault, failure->fault); /* where the caller will look for it */
}

static int extract_all(struct extraction *walk, struct sqfs_inode *root,
		       struct extract_report *report)
{
	int fd = fcntl(walk->root, F_DUPFD_CLOEXEC, 0);
	int result = fd < 0 ? extract_system_failure(&walk->own) :
			      enter_directory(walk, root, fd, 0);

	if (result < 0 && fd >= 0)
		close(fd);
	if (result == 0)
		result = walk_image(walk);
	post(walk);
	if (result < 0)
		extract_queue_fail(&walk->queue, &walk->own, walk->path);
	result = extract_queue_finish(&walk->queue);
	if (result == 0 && finish_directories(walk, root) < 0) {
		extract_queue_fail(&walk->queue, &walk->own, walk->path);
		result = -1;
	}
	while (walk->depth)
		extract_dir_release(walk->levels[--walk->depth].dir);
	report->entries = walk->entries;
	report->bytes = walk->queue.own.bytes;
	for (size_t kind = 0; kind < EXTRACT_COUNTS; kind++)
		report->left_out[kind] = walk->left_out[kind];
	if (result < 0)
		report_failure(walk, report);
	return result;
}

/* What the umask and the directory make of a file: what it has need not be set. */
static int examine_new_file(int dir, struct stat *made)
{
	static const char name[] = "new";
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0777);

	if (fd < 0)
		return -1;
	int result = fstat(fd, made);
	close(fd);
	return unlinkat(dir, name, 0) < 0 ? -1 : result;
}

int extract_tree(struct sqfs_reader *reader, int dir_fd, const struct extract_options *options,
		 struct extract_report *report)
{
	struct extraction *walk = calloc(1, sizeof *walk);
	struct inode_map_entry *place;
	struct sqfs_inode root;

	*report = (struct extract_report){ 0 };
	if (!walk) {
		report->error = SQFS_ENOMEM;
		return -1;
	}
	walk->own = (struct extractor){ .reader = reader,
					.options = options,
					.made = &walk->made,
					.left_out = walk->left_out };
	walk->root = dir_fd;
	extract_queue_init(&walk->queue, &walk->own);
	int result = sqfs_inode_read(reader, sqfs_reader_fs(reader)->super.root_ref, &root);
	if (result == 0 && root.type != SQFS_DIR)
		result = SQFS_ENOTDIR;
	if (result == 0)
		result = sqfs_census_add(&walk->census, reader, NULL, &root, &place);
	if (result == 0 && examine_new_file(dir_fd, &walk->made) < 0)
		report->system_error = errno;
	else if (result)
		report->error = result;
	else
		result = extract_all(walk, &root, report);
	if (report->error || report->system_error)
		result = -1;
	while (walk->pending_count)
		free(walk->pending[--walk->pending_count].name);
	free(walk->pending);
	free(walk->own.attribute);
	free(walk->queue.own.attribute);
	sqfs_census_free(&walk->census);
	free(walk);
	return result;
}
