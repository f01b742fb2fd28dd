/* Options of a start whose root directory is the image: scripts/spec/options.json, `run`. */
#ifndef ROOT_OPTIONS_H
#define ROOT_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/fail.h"
#include "bundle/root_config.h"

struct run_options {
	struct text_list volumes; /* HOST[:INSIDE[:ro]] */
	size_t recorded_volumes; /* how many of them are the bundle's own words: the first ones */
	struct text_list variables; /* K=V, or K */
	const char *workdir; /* absolute, or NULL */
	const char *user; /* or NULL */
	const char *entrypoint; /* or NULL */
	const char *persist; /* directory of the machine, or NULL */
	bool recorded_persist; /* that is the bundle's own word */
	const char *tmpfs_size;
	const char *hostname; /* or NULL */
	bool shell;
	bool persist_rm;
	bool read_only;
	bool contain;
	bool pid;
	bool as_init; /* and the app is process 1 there */
	bool range;
	bool no_fake;
	bool keep_caps;
	bool help;
};

/*
 * Takes the recorded words, those of FUSELAGE_RUN_OPTIONS and those of the command line (NULL where
 * there is no --bundle-run), in this order. *args becomes the arguments of the app.
 */
int run_options_read(struct run_options *options, const struct root_config *recorded,
		     char **command_line, char ***args, struct failure *failure);

#endif
