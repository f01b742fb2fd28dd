/* The recorded invocation of a bundle: docs/format.md, section "Manifest". */
#ifndef MANIFEST_H
#define MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fail.h"
#include "bundle/map.h"
#include "bundle/root_config.h"

/* A change of the app's environment. */
struct variable {
	unsigned tag; /* FUSELAGE_MANIFEST_ENV, _UNSET, ... */
	const char *text; /* "K=V", or the name alone of what is not inherited */
};

/* A file of the image that is worth being kept decompressed: cache/hot_files.h. */
struct hot_record {
	uint64_t size; /* bytes */
	const char *digest; /* SHA-256, 64 hex digits; a blank behind them */
	const char *path; /* below the image's root */
};

struct manifest {
	const char *name; /* one path component */
	const char *entry; /* below the image's root, no leading slash; or NULL, and either: */
	const char **invocation; /* the runner's own arguments, NULL-terminated */
	size_t invocation_count;
	const char *mount_at; /* /run/fuselage/NAME, or NULL */
	struct map *maps; /* checked, in order */
	size_t map_count;
	bool writable; /* the app gets a private, writable copy */
	const char *version; /* of the builder; "" when not recorded */
	const char *arch;
	const char **args; /* NULL-terminated */
	size_t arg_count;
	const char *needs; /* of the caller's user namespace: words and commas; or NULL */
	bool expand_args; /* ${FUSELAGE_BUNDLE_DIR} in them */
	struct variable *variables; /* in order; the last has no text */
	size_t variable_count;
	uint64_t image_size; /* bytes, padding included */
	bool runtime_options;
	const char *libcs[2]; /* what is said of each libc in the image: glibc, musl */
	size_t libc_count;
	uint8_t *start; /* start list (fuse/start_list.h), not checked yet; or NULL */
	size_t start_size;
	const char *openssl; /* folder that an OpenSSL in the image was compiled for, or NULL */
	struct hot_record hot[FUSELAGE_MANIFEST_MAX_KEPT]; /* more are passed over */
	size_t hot_count;
	struct root_config root; /* of a start whose root directory is the image */
	struct text_list sandbox; /* rules of a sandbox, as sandbox/rules.h reads them */
	bool appimage; /* recorded as one: appimage.h */
	char *bytes; /* that all of these point into */
};

/*
 * Reads the section. Returns 1 and the manifest, 0 when the section is all zero (a runtime
 * without an image), or -1. `file` is for the failure's text.
 */
int manifest_read(int fd, const char *file, uint64_t position, uint64_t size,
		  struct manifest *manifest, struct failure *failure);

#endif
