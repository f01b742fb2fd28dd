/*
 * What a manifest says of a start whose root directory is the image: records ROOT to SOURCE of
 * docs/format.md. Only the runner knows them; to the program at the front of other bundles ROOT is a
 * critical record that it does not know.
 */
#ifndef ROOT_CONFIG_H
#define ROOT_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/fail.h"

/* Texts of the manifest, in order. */
struct text_list {
	const char **texts; /* NULL-terminated */
	size_t count;
};

/* Makes room for as many. Returns -1 when there is no memory. */
int text_list_init(struct text_list *list, size_t count);

struct root_config {
	bool is_root; /* the image is the root directory of what is started */
	struct text_list cmd; /* arguments where the user gives none */
	const char *user; /* NAME or UID, or either with :GROUP or :GID; or NULL */
	const char *workdir; /* absolute path in the image, or NULL */
	struct text_list run; /* words of options, as behind --bundle-run */
	struct text_list ports; /* "80/tcp" */
	struct text_list volumes; /* absolute paths in the image */
	struct text_list labels; /* "K=V" */
	const char *stop_signal; /* "SIGQUIT" or a number, or NULL */
	const char *source; /* what the image was made of, or NULL */
};

/* Makes room for as many texts of each kind. Returns -1 when there is no memory. */
int root_config_init(struct root_config *config, size_t count);

/* Whether a record is one of these. */
bool root_config_has(unsigned tag);

/* Takes one. `file` is for the failure's text. */
int root_config_take(struct root_config *config, const char *file, unsigned tag, const char *value,
		     struct failure *failure);

#endif
