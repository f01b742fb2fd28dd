/*
 * Entries in the order of a walk: a directory, then what is in it, names in the
 * order of their bytes. In that order equal names are neighbours, and a
 * directory without an entry is missed where its first child comes.
 */
#include <stdlib.h>
#include <string.h>

#include "libc/sort.h"
#include "zip/zip_reader.h"

struct tree {
	struct zip *zip; /* entries as they are added */
	uint32_t open[ZIP_DEPTH_MAX + 1]; /* the last entry and all that it is in, the root first */
	size_t depth; /* of those; 1: the root alone */
};

/* The slash goes before every other byte, so that "a/b" stands before "a-b",
 * right behind "a"; equal names stand as in the archive. */
static int by_path(const void *left, const void *right)
{
	const struct zip_entry *a = left;
	const struct zip_entry *b = right;
	size_t common = a->path_size < b->path_size ? a->path_size : b->path_size;

	for (size_t i = 0; i < common; i++) {
		if (a->path[i] == b->path[i])
			continue;
		int x = a->path[i] == '/' ? 0 : (unsigned char)a->path[i];
		int y = b->path[i] == '/' ? 0 : (unsigned char)b->path[i];
		return x - y;
	}
	if (a->path_size != b->path_size)
		return a->path_size - b->path_size;
	return (a->header > b->header) - (a->header < b->header);
}

static bool is_inside(const struct zip_entry *outer, const struct zip_entry *inner)
{
	size_t size = outer->path_size;

	return size == 0 || (size < inner->path_size && inner->path[size] == '/' &&
			     memcmp(outer->path, inner->path, size) == 0);
}

static int add(struct tree *tree, const struct zip_entry *source, struct failure *failure)
{
	struct zip *zip = tree->zip;
	uint32_t index = (uint32_t)zip->count;

	if (zip->count == ZIP_ENTRIES_MAX)
		return zip_fail(zip, failure, FUSELAGE_E_ARCHIVE_UNSUPPORTED,
				"entries: expected at most %u with all directories, found more",
				(unsigned)ZIP_ENTRIES_MAX);
	struct zip_entry *entry = zip_add_entry(zip, source);
	if (!entry)
		return zip_fail(zip, failure, FUSELAGE_E_OUT_OF_MEMORY, "entries");
	entry->parent = tree->depth ? tree->open[tree->depth - 1] : 0;
	tree->open[tree->depth++] = index;
	return 0;
}

static void close_last(struct tree *tree)
{
	tree->zip->entries[tree->open[--tree->depth]].end = (uint32_t)tree->zip->count;
}

static int check_parent(const struct tree *tree, const struct zip_entry *entry,
			struct failure *failure)
{
	const struct zip_entry *parent = &tree->zip->entries[tree->open[tree->depth - 1]];

	if (zip_type(parent) == S_IFDIR)
		return 0;
	return zip_fail_at(tree->zip, entry, failure, FUSELAGE_E_ARCHIVE_UNSAFE,
			   "name: expected a path of directories, found one through a %s",
			   zip_type(parent) == S_IFLNK ? "symlink" : "file");
}

static int place(struct tree *tree, const struct zip_entry *source, int64_t newest,
		 struct failure *failure)
{
	struct zip *zip = tree->zip;
	const struct zip_entry *last = &zip->entries[tree->open[tree->depth - 1]];

	if (last->path_size == source->path_size &&
	    memcmp(last->path, source->path, source->path_size) == 0) {
		/* Tools that add to an archive write folders again; the first one counts. */
		if (zip_type(last) == S_IFDIR && zip_type(source) == S_IFDIR)
			return 0;
		return zip_fail_at(zip, source, failure, FUSELAGE_E_ARCHIVE_UNSAFE,
				   "name: expected it once, found it twice");
	}
	while (!is_inside(&zip->entries[tree->open[tree->depth - 1]], source))
		close_last(tree);
	if (check_parent(tree, source, failure) < 0)
		return -1;

	size_t from = zip->entries[tree->open[tree->depth - 1]].path_size;
	from += from ? 1 : 0;
	for (size_t i = from; i < source->path_size; i++) {
		if (source->path[i] != '/')
			continue;
		struct zip_entry missing = {
			.path = source->path,
			.path_size = (uint16_t)i,
			.mode = S_IFDIR | 0755,
			.header = ZIP_NO_HEADER,
			.mtime = newest,
		};
		if (add(tree, &missing, failure) < 0)
			return -1;
	}
	return add(tree, source, failure);
}

static int build(struct zip *zip, const struct zip_entry *sources, size_t count,
		 struct failure *failure)
{
	struct tree tree = { .zip = zip };
	struct zip_entry root = { .path = "", .mode = S_IFDIR | 0755, .header = ZIP_NO_HEADER };

	/* A time for what has none: the same for the same archive. */
	for (size_t i = 0; i < count; i++)
		if (sources[i].mtime > root.mtime)
			root.mtime = sources[i].mtime;
	if (add(&tree, &root, failure) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (place(&tree, &sources[i], root.mtime, failure) < 0)
			return -1;
	while (tree.depth)
		close_last(&tree);
	return 0;
}

int zip_make_tree(struct zip *zip, struct failure *failure)
{
	struct zip_entry *sources = zip->entries;
	size_t count = zip->count;

	if (count)
		sort(sources, count, sizeof *sources, by_path);
	zip->entries = NULL;
	zip->count = zip->room = 0;
	int result = build(zip, sources, count, failure);
	free(sources);
	return result;
}
