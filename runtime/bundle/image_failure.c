#include "bundle/image_failure.h"

#include <errno.h>

#include "squashfs/squashfs.h"

int fail_sqfs(struct failure *failure, int error, const char *fault, const char *file,
	      const char *path)
{
	static const unsigned char codes[] = {
		[SQFS_CLASS_CORRUPT] = FUSELAGE_E_IMAGE_CORRUPT,
		[SQFS_CLASS_UNREADABLE] = FUSELAGE_E_IMAGE_CORRUPT,
		[SQFS_CLASS_TRUNCATED] = FUSELAGE_E_IMAGE_TRUNCATED,
		[SQFS_CLASS_MISSING] = FUSELAGE_E_IMAGE_CORRUPT,
		[SQFS_CLASS_UNSUPPORTED] = FUSELAGE_E_IMAGE_UNSUPPORTED,
	};
	enum sqfs_error_class class = sqfs_error_class(error);
	const char *behind = path ? ": /" : "";

	if (!path)
		path = "";
	if (class != SQFS_CLASS_MEMORY)
		return fail(failure, codes[class], "%s%s%.200s: %s (%s)", file, behind, path,
			    sqfs_strerror(error), fault);
	errno = ENOMEM;
	return fail_errno(failure, FUSELAGE_E_OUT_OF_MEMORY, "%s%s%.200s", file, behind, path);
}

bool is_image_failure(const struct failure *failure)
{
	return failure->code == FUSELAGE_E_IMAGE_CORRUPT ||
	       failure->code == FUSELAGE_E_IMAGE_TRUNCATED ||
	       failure->code == FUSELAGE_E_IMAGE_UNSUPPORTED;
}
