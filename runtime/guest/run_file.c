#include "guest/run_file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/owned.h"
#include "guest/digits.h"

#define RUN_FILE_MAX (4u << 20) /* bytes: as much as exec takes of arguments and variables */

enum record {
#define RECORD_ENUM(name, word) RECORD_##name,
	GUEST_RECORDS(RECORD_ENUM)
#undef RECORD_ENUM
	RECORD_COUNT
};

static const char *const record_names[] = {
#define RECORD_NAME(name, word) word,
	GUEST_RECORDS(RECORD_NAME)
#undef RECORD_NAME
};

static const char *const transport_words[] = {
#define WORD(name, word) word,
	GUEST_TRANSPORTS(WORD)
};

static const char *const end_words[] = { GUEST_ENDS(WORD)
#undef WORD
};

#define COUNT(list) (sizeof(list) / sizeof *(list))

#define BIT(kind) (1u << (kind))

/* Records that may stand more than once. */
#define SEVERAL                                                                         \
	(BIT(RECORD_ARG) | BIT(RECORD_ENV) | BIT(RECORD_RUN) | BIT(RECORD_NAMESERVER) | \
	 BIT(RECORD_VOLUME))

/* The place of a text in a list, or -1. */
static int find(const char *const *words, size_t count, const char *text, size_t length)
{
	for (size_t i = 0; i < count; i++)
		if (strlen(words[i]) == length && memcmp(words[i], text, length) == 0)
			return (int)i;
	return -1;
}

static int refuse(const char *record, struct failure *failure)
{
	return fail(failure, FUSELAGE_E_GUEST_START,
		    "run file: unexpected record \"%.300s\": expected those of version %u", record,
		    GUEST_VERSION);
}

/* With something in it. */
static int take_text(const char **text, const char *value, const char *record,
		     struct failure *failure)
{
	if (!*value)
		return refuse(record, failure);
	*text = value;
	return 0;
}

static int take_size(struct run_file *run, const char *value, const char *record,
		     struct failure *failure)
{
	uint64_t rows, columns;

	if (!digits_read(&value, UINT16_MAX, &rows) || *value != ' ' ||
	    !digits_are(value + 1, UINT16_MAX, &columns))
		return refuse(record, failure);
	run->has_terminal = true;
	run->rows = (unsigned)rows;
	run->columns = (unsigned)columns;
	return 0;
}

static int take_word(int found, const char *record, struct failure *failure)
{
	return found < 0 ? refuse(record, failure) : found;
}

static void add(struct text_list *list, const char *value)
{
	list->texts[list->count++] = value;
}

static int take(struct run_file *run, enum record kind, const char *value, const char *record,
		struct failure *failure)
{
	size_t length = strlen(value);
	uint64_t version;
	int word;

	switch (kind) {
	case RECORD_VERSION:
		return digits_are(value, GUEST_VERSION, &version) && version == GUEST_VERSION ?
			       0 :
			       refuse(record, failure);
	case RECORD_TRANSPORT:
		word = take_word(find(transport_words, COUNT(transport_words), value, length),
				 record, failure);
		run->transport = (enum guest_transport)word;
		return word < 0 ? -1 : 0;
	case RECORD_END:
		word = take_word(find(end_words, COUNT(end_words), value, length), record, failure);
		run->end = (enum guest_end)word;
		return word < 0 ? -1 : 0;
	case RECORD_ARG:
		add(&run->args, value);
		return 0;
	case RECORD_ENV:
		if (*value == '=' || !strchr(value, '='))
			return refuse(record, failure);
		add(&run->variables, value);
		return 0;
	case RECORD_RUN:
		add(&run->words, value);
		return 0;
	case RECORD_CWD:
		return take_text(&run->cwd, value, record, failure);
	case RECORD_TTY:
		return take_size(run, value, record, failure);
	case RECORD_ROOT:
		run->has_root = strcmp(value, "yes") == 0;
		return run->has_root ? 0 : refuse(record, failure);
	case RECORD_TIME:
		return take_text(&run->time, value, record, failure);
	case RECORD_SEED:
		return take_text(&run->seed, value, record, failure);
	case RECORD_HOSTNAME:
		return take_text(&run->hostname, value, record, failure);
	case RECORD_ADDRESS:
		return take_text(&run->address, value, record, failure);
	case RECORD_GATEWAY:
		return take_text(&run->gateway, value, record, failure);
	case RECORD_NAMESERVER:
		add(&run->nameservers, value);
		return 0;
	case RECORD_VOLUME:
		add(&run->volumes, value);
		return 0;
	case RECORD_COUNT:
		break;
	}
	return refuse(record, failure);
}

/* The whole of it. NULL: it cannot be had. */
static char *read_whole(size_t *size)
{
	OWNED_FD file = open(GUEST_RUN_FILE, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (file < 0 || fstat(file, &st) < 0 || st.st_size > RUN_FILE_MAX)
		return NULL;
	char *bytes =
		malloc((size_t)st.st_size + 1); /* one that is empty is no error of memory's */
	if (!bytes)
		return NULL;
	ssize_t n = pread_full(file, bytes, (size_t)st.st_size, 0);
	*size = n > 0 ? (size_t)n : 0;
	unlink(GUEST_RUN_FILE); /* what is secret in it is in memory alone */
	return bytes;
}

static int make_room(struct run_file *run, const char *bytes, size_t size, struct failure *failure)
{
	struct text_list *lists[] = { &run->args, &run->variables, &run->words, &run->nameservers,
				      &run->volumes };
	size_t count = 1; /* each ends with NULL */

	for (size_t i = 0; i < size; i++)
		count += bytes[i] == 0;
	for (size_t i = 0; i < COUNT(lists); i++) {
		lists[i]->texts = calloc(count, sizeof *lists[i]->texts);
		if (!lists[i]->texts)
			return fail(failure, FUSELAGE_E_OUT_OF_MEMORY, "run file");
	}
	return 0;
}

int run_file_parse(struct run_file *run, const char *bytes, size_t size, struct failure *failure)
{
	if (size == 0 || bytes[size - 1])
		return fail(
			failure, FUSELAGE_E_GUEST_START,
			"run file: it is cut off behind %zu bytes: expected records that each end "
			"with a NUL byte",
			size);
	unsigned seen = 0;
	if (make_room(run, bytes, size, failure) < 0)
		return -1;
	for (const char *at = bytes; at < bytes + size; at += strlen(at) + 1) {
		size_t length = strcspn(at, "=");
		int kind = find(record_names, COUNT(record_names), at, length);
		if (kind < 0 || !at[length] || (at == bytes) != (kind == RECORD_VERSION) ||
		    (seen & BIT(kind) & ~SEVERAL))
			return refuse(at, failure);
		seen |= BIT(kind);
		if (take(run, (enum record)kind, at + length + 1, at, failure) < 0)
			return -1;
	}
	return 0;
}

int run_file_read(struct run_file *run, struct failure *failure)
{
	size_t size = 0;
	const char *bytes = read_whole(&size);

	return bytes ? run_file_parse(run, bytes, size, failure) :
		       fail_errno(failure, FUSELAGE_E_GUEST_START, "run file " GUEST_RUN_FILE);
}
