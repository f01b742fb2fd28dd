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
struct late {
	struct sqfs_inode inode;
	size_t depth; /* 1: below the root */
	bool wanted; /* itself, not only for what is in it */
	char *name;
};

struct extraction {
	struct extractor x; /* the walk's own */
	struct extract_queue queue;
	struct extract_job *job; /* being filled, or NULL */
	atomic_uint_least64_t left_out[EXTRACT_COUNTS];
	struct stat made;
	int root; /* borrowed */
	uint64_t entries;
	struct sqfs_census census; /* the value of an inode with several links is its first path */
	struct level levels[DEPTH_MAX];
	size_t depth;
	struct late *late;
	size_t late_count;
	size_t late_room;
	char path[PATH_MAX];
};

static int push_path(struct extraction *e, const char *name)
{
	size_t used = strlen(e->path);
	size_t more = strlen(name);

	if (used + 1 + more >= sizeof e->path) {
		errno = ENAMETOOLONG;
		return extract_system_failure(&e->x);
	}
	if (used)
		e->path[used++] = '/';
	memcpy(e->path + used, name, more + 1);
	return 0;
}

static void post(struct extraction *e)
{
	if (e->job)
		extract_queue_post(&e->queue);
	e->job = NULL;
}

static struct extract_job *new_job(struct extraction *e, struct extract_dir *dir)
{
	post(e);
	e->job = extract_queue_place(&e->queue);
	e->job->dir = dir;
	atomic_fetch_add(&dir->users, 1);
	return e->job;
}

static void add_file(struct extraction *e, struct extract_dir *dir, const char *name,
		     const struct sqfs_inode *inode, bool made)
{
	struct extract_job *job = e->job;

	if (!job || job->dir != dir || job->count == JOB_FILES || job->bytes >= JOB_BYTES)
		job = new_job(e, dir);
	job->files[job->count].inode = *inode;
	job->files[job->count].made = made;
	strcpy(job->files[job->count].name, name);
	job->count++;
	if (inode->type == SQFS_FILE)
		job->bytes += inode->size;
}

/* Sets its size first: the parts come in any order. */
static int add_big_file(struct extraction *e, struct extract_dir *dir, const char *name,
			const struct sqfs_inode *inode, bool made)
{
	int fd = extract_open_file(&e->x, dir->fd, name, inode, made);
	struct extract_big *big = fd < 0 ? NULL : malloc(sizeof *big);

	if (fd < 0)
		return -1;
	if (!big || ftruncate(fd, (off_t)inode->size) < 0) {
		extract_system_failure(&e->x);
		free(big);
		close(fd);
		return -1;
	}
	*big = (struct extract_big){ .fd = fd, .inode = *inode, .users = 1 };
	for (uint64_t start = 0; start < inode->size && !extract_queue_failed(&e->queue);
	     start += PART_BYTES) {
		struct extract_job *job = new_job(e, dir);
		uint64_t left = inode->size - start;
		strcpy(job->files[0].name, name);
		atomic_fetch_add(&big->users, 1);
		job->big = big;
		job->start = start;
		job->end = start + (left < PART_BYTES ? left : PART_BYTES);
		job->bytes = job->end - start;
		post(e);
	}
	return extract_big_release(&e->x, &e->queue, big);
}

static int enter_directory(struct extraction *e, const struct sqfs_inode *inode, int fd,
			   size_t path_length)
{
	size_t length = strlen(e->path);

	if (e->depth == DEPTH_MAX)
		return extract_image_failure(&e->x, SQFS_ELOOP);
	struct extract_dir *dir = malloc(sizeof *dir + length + 1);
	if (!dir)
		return extract_image_failure(&e->x, SQFS_ENOMEM);
	dir->fd = fd;
	atomic_init(&dir->users, 1);
	memcpy(dir->path, e->path, length + 1);
	e->levels[e->depth++] = (struct level){ *inode, 0, dir, path_length };
	return 0;
}

/* The entry at the walk's path. */
static bool is_wanted(const struct extraction *e)
{
	const struct extract_options *options = e->x.options;

	return !options->wanted || options->wanted(options->wanted_context, e->path);
}

static int note_late(struct extraction *e, const struct sqfs_inode *inode, const char *name)
{
	if (e->late_count == e->late_room) {
		size_t room = e->late_room ? e->late_room * 2 : 64;
		struct late *larger = realloc(e->late, room * sizeof *larger);
		if (!larger)
			return extract_image_failure(&e->x, SQFS_ENOMEM);
		e->late = larger;
		e->late_room = room;
	}
	char *copy = strdup(name);
	if (!copy)
		return extract_image_failure(&e->x, SQFS_ENOMEM);
	e->late[e->late_count++] = (struct late){ *inode, e->depth, is_wanted(e), copy };
	return 0;
}

static int make_directory(struct extraction *e, int dir, const char *name,
			  const struct sqfs_inode *inode, size_t path_length)
{
	if (mkdirat(dir, name, 0700) < 0)
		return extract_system_failure(&e->x);
	int fd = extract_open(dir, name, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return extract_system_failure(&e->x);
	if (note_late(e, inode, name) < 0 || enter_directory(e, inode, fd, path_length) < 0) {
		close(fd);
		return -1;
	}
	return 0;
}

static int link_to(struct extraction *e, const char *first, int dir, const char *name)
{
	char parent[PATH_MAX];
	const char *slash = strrchr(first, '/');
	int from = e->root, result;

	if (slash) {
		memcpy(parent, first, (size_t)(slash - first));
		parent[slash - first] = 0;
		from = extract_open(e->root, parent, O_PATH | O_DIRECTORY, 0);
		first = slash + 1;
	}
	if (from < 0)
		return extract_system_failure(&e->x);
	result = linkat(from, first, dir, name, 0);
	int error = errno;
	if (from != e->root)
		close(from);
	errno = error;
	return result < 0 ? extract_system_failure(&e->x) : 0;
}

/*
 * The first of several links is made at once, empty if it is a file, so that the others need not
 * wait for its contents.
 */
static int make_linked(struct extraction *e, const struct extract_dir *dir, const char *name,
		       const struct sqfs_inode *inode, const char *first)
{
	if (first)
		return link_to(e, first, dir->fd, name);
	if (inode->type == SQFS_FILE)
		return extract_placeholder(&e->x, dir->fd, name);
	return extract_entry(&e->x, dir->fd, name, inode);
}

static int make_entry(struct extraction *e, struct level *level, const struct sqfs_entry *entry,
		      size_t path_length)
{
	struct inode_map_entry *names;
	struct sqfs_inode inode;
	int error = sqfs_inode_read(e->x.reader, entry->ref, &inode);

	if (!error && (inode.type != entry->type || inode.number != entry->number))
		error = SQFS_EDIRECTORY;
	if (!error)
		error = sqfs_census_add(&e->census, e->x.reader, entry, &inode, &names);
	if (error)
		return extract_image_failure(&e->x, error);
	if (inode.type == SQFS_DIR) {
		e->entries++;
		return make_directory(e, level->dir->fd, entry->name, &inode, path_length);
	}
	bool linked = inode.nlink > 1;
	const char *first = names->value;
	if (!is_wanted(e))
		return 0;
	if (linked && !first && !(names->value = strdup(e->path)))
		return extract_image_failure(&e->x, SQFS_ENOMEM);
	if (!extract_filter(&e->x, &inode, !first))
		return 0;
	e->entries++;
	if (linked && make_linked(e, level->dir, entry->name, &inode, first) < 0)
		return -1;
	if (first || (linked && inode.type != SQFS_FILE))
		return 0;
	if (inode.type == SQFS_FILE && inode.size >= BIG_BYTES)
		return add_big_file(e, level->dir, entry->name, &inode, linked);
	add_file(e, level->dir, entry->name, &inode, linked);
	return 0;
}

static void leave_directory(struct extraction *e)
{
	struct level *level = &e->levels[--e->depth];

	extract_dir_release(level->dir);
	e->path[level->path_length] = 0;
}

static int walk(struct extraction *e)
{
	while (e->depth) {
		struct level *level = &e->levels[e->depth - 1];
		size_t depth = e->depth;
		struct sqfs_entry entry;
		int found = sqfs_dir_next(e->x.reader, &level->inode, level->cookie, &entry);

		if (found < 0)
			return extract_image_failure(&e->x, found);
		if (found == 0) {
			post(e);
			leave_directory(e);
			continue;
		}
		if (extract_check_interrupted(&e->x) < 0)
			return -1;
		if (extract_queue_failed(&e->queue))
			return 0;
		size_t path_length = strlen(e->path);
		level->cookie = entry.next;
		if (push_path(e, entry.name) < 0 || make_entry(e, level, &entry, path_length) < 0)
			return -1;
		if (e->depth == depth)
			e->path[path_length] = 0;
	}
	return 0;
}

/*
 * Every one of them by its own descriptor: its attributes, then on to its parent. One that was made
 * in case that something in it is wanted goes if it is empty. `late` is NULL for the root.
 */
static int set_directory(struct extraction *e, int fd, struct sqfs_inode *inode, int parent,
			 const struct late *late)
{
	struct extractor *x = &e->x;

	if (late && !late->wanted && unlinkat(parent, late->name, AT_REMOVEDIR) == 0) {
		e->entries--;
		return 0;
	}
	extract_filter(x, inode, true);
	return extract_attributes(x, fd, inode, extract_wants_owner(x, inode), true);
}

/*
 * Parents after their children, for the mode may take away the right to enter. The list is in the
 * order of the walk, so that a stack of descriptors finds them again.
 */
static int finish_directories(struct extraction *e, struct sqfs_inode *root)
{
	struct {
		int fd;
		size_t path_length;
		struct sqfs_inode *inode;
		const struct late *late;
	} open[DEPTH_MAX] = { { e->root, 0, root, NULL } };
	size_t depth = 1;
	int result = 0;

	e->path[0] = 0;
	for (size_t i = 0; i <= e->late_count && result == 0; i++) {
		struct late *late = &e->late[i];
		size_t parent = i < e->late_count ? late->depth : 0;
		while (result == 0 && depth > parent) {
			depth--;
			result = set_directory(e, open[depth].fd, open[depth].inode,
					       depth ? open[depth - 1].fd : -1, open[depth].late);
			if (depth)
				close(open[depth].fd);
			if (result == 0)
				e->path[open[depth].path_length] = 0;
		}
		if (result < 0 || i == e->late_count)
			break;
		open[depth].path_length = strlen(e->path);
		open[depth].inode = &late->inode;
		open[depth].late = late;
		result = push_path(e, late->name);
		if (result == 0)
			result = extract_check_interrupted(&e->x);
		if (result < 0)
			break;
		open[depth].fd =
			extract_open(open[depth - 1].fd, late->name, O_RDONLY | O_DIRECTORY, 0);
		if (open[depth].fd < 0)
			result = extract_system_failure(&e->x);
		else
			depth++;
	}
	while (depth > 1)
		close(open[--depth].fd);
	return result;
}

static void report_failure(struct extraction *e, struct extract_report *report)
{
	const struct extract_failure *failure = &e->queue.failure;

	report->error = failure->error;
	report->system_error = failure->system_error;
	strcpy(report->path, failure->path);
	strcpy(e->x.reader->fault, failure->fault); /* where the caller will look for it */
}

static int extract_all(struct extraction *e, struct sqfs_inode *root, struct extract_report *report)
{
	int fd = fcntl(e->root, F_DUPFD_CLOEXEC, 0);
	int result = fd < 0 ? extract_system_failure(&e->x) : enter_directory(e, root, fd, 0);

	if (result < 0 && fd >= 0)
		close(fd);
	if (result == 0)
		result = walk(e);
	post(e);
	if (result < 0)
		extract_queue_fail(&e->queue, &e->x, e->path);
	result = extract_queue_finish(&e->queue);
	if (result == 0 && finish_directories(e, root) < 0) {
		extract_queue_fail(&e->queue, &e->x, e->path);
		result = -1;
	}
	while (e->depth)
		extract_dir_release(e->levels[--e->depth].dir);
	report->entries = e->entries;
	report->bytes = e->queue.own.bytes;
	for (size_t kind = 0; kind < EXTRACT_COUNTS; kind++)
		report->left_out[kind] = e->left_out[kind];
	if (result < 0)
		report_failure(e, report);
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
	struct extraction *e = calloc(1, sizeof *e);
	struct inode_map_entry *place;
	struct sqfs_inode root;

	*report = (struct extract_report){ 0 };
	if (!e) {
		report->error = SQFS_ENOMEM;
		return -1;
	}
	e->x = (struct extractor){
		.reader = reader, .options = options, .made = &e->made, .left_out = e->left_out
	};
	e->root = dir_fd;
	extract_queue_init(&e->queue, &e->x);
	int result = sqfs_inode_read(reader, sqfs_reader_fs(reader)->super.root_ref, &root);
	if (result == 0 && root.type != SQFS_DIR)
		result = SQFS_ENOTDIR;
	if (result == 0)
		result = sqfs_census_add(&e->census, reader, NULL, &root, &place);
	if (result == 0 && examine_new_file(dir_fd, &e->made) < 0)
		report->system_error = errno;
	else if (result)
		report->error = result;
	else
		result = extract_all(e, &root, report);
	if (report->error || report->system_error)
		result = -1;
	while (e->late_count)
		free(e->late[--e->late_count].name);
	free(e->late);
	free(e->x.attribute);
	free(e->queue.own.attribute);
	sqfs_census_free(&e->census);
	free(e);
	return result;
}
