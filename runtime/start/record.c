#include "start/record.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "generated/names.h"

static const char *file; /* that was made, or NULL */

/* Numbers of inodes are of one image. */
static bool is_one_image(const struct invocation *invocation)
{
	size_t images = 0;

	for (size_t i = 0; i < invocation->count; i++) {
		const struct archive *archive = &invocation->archives[i];
		if (archive->use == ARCHIVE_EMPTY)
			continue;
		images++;
		if (archive_is_zip(archive))
			return false;
	}
	return images == 1;
}

int record_begin(struct start *start, struct failure *failure)
{
	const char *path = getenv(ENV_FUSELAGE_RECORD);

	if (!path || !*path)
		return 0;
	if (start->identity.caller.setuid)
		return fail(failure, FUSELAGE_E_RECORD, ENV_FUSELAGE_RECORD ": not setuid-root");
	if (!is_one_image(&start->invocation))
		return fail(failure, FUSELAGE_E_RECORD,
			    ENV_FUSELAGE_RECORD ": expected one squashfs image");
	/* A file of one's own: what a link leads to, or others can read, is not written to. */
	start->mounting.record =
		open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (start->mounting.record < 0)
		return fail_errno(failure, FUSELAGE_E_RECORD, ENV_FUSELAGE_RECORD "=%.300s", path);
	/* A bundle that the app starts is none of what is recorded. The text itself stays where it is. */
	file = path;
	unsetenv(ENV_FUSELAGE_RECORD);
	start->mounting.share.linger = 0;
	return 0;
}

void record_abandon(struct start *start)
{
	if (file)
		unlinkat(start->cwd < 0 ? AT_FDCWD : start->cwd, file, 0);
}
