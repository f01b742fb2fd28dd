/* What the host wants of this machine: records of the run file, docs/vm-protocol.md. */
#ifndef GUEST_RUN_FILE_H
#define GUEST_RUN_FILE_H

#include <stdbool.h>

#include "base/fail.h"
#include "bundle/root_config.h"
#include "generated/guest.h"

#define GUEST_ENUM(name, word) GUEST_TRANSPORT_##name,
enum guest_transport {
	GUEST_TRANSPORTS(GUEST_ENUM)
};
#undef GUEST_ENUM

#define GUEST_ENUM(name, word) GUEST_END_##name,
enum guest_end {
	GUEST_ENDS(GUEST_ENUM)
};
#undef GUEST_ENUM

struct run_file {
	enum guest_transport transport;
	enum guest_end end;
	struct text_list args;
	struct text_list variables; /* "K=V" */
	struct text_list words; /* of options of a start */
	struct text_list nameservers;
	struct text_list volumes; /* "TYPE TAG MODE PATH" */
	const char *cwd; /* these are NULL where nothing is said */
	const char *time;
	const char *seed;
	const char *hostname;
	const char *address;
	const char *gateway;
	bool has_terminal;
	unsigned rows, columns;
	bool has_root;
};

/* Reads and removes it. What it points to lasts. */
int run_file_read(struct run_file *run, struct failure *failure);

/* The same of its bytes, which last. Lists that are made of them are the caller's, also where it fails. */
int run_file_parse(struct run_file *run, const char *bytes, size_t size, struct failure *failure);

#endif
