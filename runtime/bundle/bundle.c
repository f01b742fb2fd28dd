#include "bundle/bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bundle/image_failure.h"
#include "bundle/appimage.h"
#include "bundle/elf_layout.h"
#include "generated/names.h"

static int open_self(struct bundle *bundle, struct failure *failure)
{
	ssize_t n = readlink(SELF_FILE, bundle->path, sizeof bundle->path - 1);

	if (n < 0)
		return fail_errno(failure, FUSELAGE_E_SELF_OPEN, SELF_FILE);
	bundle->path[n] = 0;
	/* Not by its path, which may name another file by now. */
	bundle->file = open(SELF_FILE, O_RDONLY | O_CLOEXEC);
	if (bundle->file < 0)
		return fail_errno(failure, FUSELAGE_E_SELF_OPEN, "%s", bundle->path);
	return 0;
}

/* The file must reach as far as the manifest says: a cut copy is told apart from a changed one. */
static int check_length(const struct bundle *bundle, struct failure *failure)
{
	uint64_t expected = bundle->image_offset + bundle->manifest.image_size;
	struct stat st;

	if (fstat(bundle->file, &st) < 0)
		return fail_errno(failure, FUSELAGE_E_SELF_OPEN, "%s", bundle->path);
	if ((uint64_t)st.st_size <= bundle->image_offset)
		return fail(failure, FUSELAGE_E_IMAGE_MISSING,
			    "%s: the image is gone: expected it at byte %" PRIu64
			    ", found the end of the file at %lld",
			    bundle->path, bundle->image_offset, (long long)st.st_size);
	if ((uint64_t)st.st_size < expected)
		return fail(failure, FUSELAGE_E_IMAGE_TRUNCATED,
			    "%s: expected %" PRIu64 " bytes, found %lld", bundle->path, expected,
			    (long long)st.st_size);
	return 0;
}

static int open_reader(struct bundle *bundle, uint64_t length, struct failure *failure)
{
	char fault[SQFS_FAULT_MAX];
	int error;

	if (check_length(bundle, failure) < 0)
		return -1;
	error = sqfs_open(&bundle->fs, bundle->file, bundle->image_offset, length, fault);
	if (error)
		return fail_sqfs(failure, error, fault, bundle->path, NULL);
	bundle->reader = sqfs_reader_new(&bundle->fs, 0);
	if (!bundle->reader)
		return fail(failure, FUSELAGE_E_OUT_OF_MEMORY, "%s: reader", bundle->path);
	return 1;
}

/*
 * No manifest: of another maker, around our runtime. Without the magic too it is an AppImage only
 * by what its image holds, and else as good as a runtime without an image.
 */
static int open_foreign(struct bundle *bundle, const struct elf_layout *layout,
			struct failure *failure)
{
	uint64_t offset = elf_image_offset(bundle->file, layout);

	if (!bundle->appimage && !elf_image_at(bundle->file, offset))
		return 0;
	if (appimage_take_image(bundle, offset, failure) < 0 ||
	    open_reader(bundle, 0, failure) < 0) /* as long as its superblock says */
		return -1;
	if (bundle->appimage)
		return 1;
	int found = appimage_has_apprun(bundle, failure);
	bundle->appimage = found == 1;
	if (found == 0) {
		sqfs_reader_free(bundle->reader);
		bundle->reader = NULL;
	}
	return found;
}

static int open_image(struct bundle *bundle, struct failure *failure)
{
	struct elf_layout layout;

	if (elf_read_layout(bundle->file, bundle->path, FUSELAGE_MANIFEST_SECTION, &layout,
			    failure) < 0)
		return -1;
	bundle->image_offset = layout.image;
	int found = manifest_read(bundle->file, bundle->path, layout.section, layout.section_size,
				  &bundle->manifest, failure);
	if (found < 0)
		return -1;
	if (found == 0)
		return open_foreign(bundle, &layout, failure);
	bundle->appimage |= bundle->manifest.appimage;
	return open_reader(bundle, bundle->manifest.image_size, failure);
}

int bundle_check_entry(const struct bundle *bundle, struct sqfs_inode *entry,
		       struct failure *failure)
{
	const char *path = bundle->manifest.entry;

	if (sqfs_path_lookup(bundle->reader, path, true, entry) == 0)
		return 0;
	/* A link may lead to where it is not known yet what is there. */
	int error = sqfs_path_lookup(bundle->reader, path, false, entry);
	if (error == SQFS_ENOENT || error == SQFS_ENOTDIR)
		return fail(failure, FUSELAGE_E_ENTRY_MISSING, "%s: %s: not in the image",
			    bundle->path, bundle->manifest.entry);
	if (error)
		return fail_sqfs(failure, error, sqfs_fault(bundle->reader), bundle->path, NULL);
	return 0;
}

int bundle_explain_io_error(const struct bundle *bundle, struct failure *failure)
{
	const char *entry = bundle->manifest.entry;
	struct sqfs_inode inode;
	uint64_t position = 0;
	int error = sqfs_path_lookup(bundle->reader, entry, true, &inode);

	while (!error && position < inode.size) {
		const uint8_t *data;
		ssize_t n = sqfs_read_block(bundle->reader, &inode, position, &data);
		if (n <= 0)
			error = (int)n;
		else
			position += (uint64_t)n;
	}
	if (!error)
		return fail_errno(failure, FUSELAGE_E_IMAGE_CORRUPT, "%s: %s", bundle->path, entry);
	return fail_sqfs(failure, error, sqfs_fault(bundle->reader), bundle->path, entry);
}

int bundle_open(struct bundle *bundle, const char *target, struct failure *failure)
{
	int found = 1;

	if (open_self(bundle, failure) < 0)
		return -1;
	bool marked = appimage_is_marked(bundle, target);
	bundle->appimage = marked;
	if (!marked)
		found = open_image(bundle, failure);
	if (!bundle->appimage)
		return found;
	int moved = appimage_settle(bundle, target, failure);
	if (moved < 0)
		return -1;
	if (!marked && !moved)
		return found;
	sqfs_reader_free(bundle->reader);
	bundle->reader = NULL;
	return open_image(bundle, failure);
}
