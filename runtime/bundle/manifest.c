#include "bundle/manifest.h"

#include <inttypes.h>
#include <lzma.h> /* for CRC-32, which its own containers need anyway */
#include <stdlib.h>

#include "base/bytes.h"
#include "flavour/flavour.h"
#include "libc/base64.h"
#include "generated/names.h"

#define HEADER_SIZE FUSELAGE_MANIFEST_HEADER_SIZE
#define RECORD_SIZE FUSELAGE_MANIFEST_RECORD_HEADER_SIZE

struct record {
	unsigned tag;
	unsigned flags;
	const char *value;
};

static int malformed(struct failure *failure, const char *file, const char *what)
{
	return fail(failure, FUSELAGE_E_MANIFEST_MALFORMED, "%s: manifest: %s", file, what);
}

/* Checks the header. Returns the number of records, 0 for none at all, or -1. */
static long check_header(const char *file, const uint8_t *raw, uint64_t size,
			 struct failure *failure)
{
	uint32_t total = le32(raw + FUSELAGE_MANIFEST_AT_TOTAL);
	uint32_t count = le32(raw + FUSELAGE_MANIFEST_AT_COUNT);

	if (memcmp(raw + FUSELAGE_MANIFEST_AT_MAGIC, FUSELAGE_MANIFEST_MAGIC, 8) != 0)
		return malformed(failure, file, "expected the magic FUSELAGE at its start");
	if (le16(raw + FUSELAGE_MANIFEST_AT_MAJOR) != FUSELAGE_MANIFEST_MAJOR)
		return fail(failure, FUSELAGE_E_MANIFEST_VERSION,
			    "%s: manifest: expected format %u, found %u", file,
			    FUSELAGE_MANIFEST_MAJOR, le16(raw + FUSELAGE_MANIFEST_AT_MAJOR));
	if (total < HEADER_SIZE || total > size || count > FUSELAGE_MANIFEST_MAX_RECORDS)
		return fail(failure, FUSELAGE_E_MANIFEST_MALFORMED,
			    "%s: manifest: %" PRIu32 " bytes and %" PRIu32
			    " records in a section of %" PRIu64 " bytes",
			    file, total, count, size);
	uint32_t sum = lzma_crc32(raw + HEADER_SIZE, total - HEADER_SIZE, 0);
	if (sum != le32(raw + FUSELAGE_MANIFEST_AT_CHECKSUM))
		return fail(failure, FUSELAGE_E_MANIFEST_MALFORMED,
			    "%s: manifest: expected checksum %08" PRIx32 ", found %08" PRIx32, file,
			    le32(raw + FUSELAGE_MANIFEST_AT_CHECKSUM), sum);
	return (long)count;
}

static int next_record(const uint8_t **at, const uint8_t *end, struct record *record)
{
	if ((size_t)(end - *at) < RECORD_SIZE)
		return -1;

	uint32_t length = le32(*at + FUSELAGE_RECORD_AT_LENGTH);
	size_t room = (size_t)(end - *at) - RECORD_SIZE;
	record->tag = le16(*at + FUSELAGE_RECORD_AT_TAG);
	record->flags = le16(*at + FUSELAGE_RECORD_AT_FLAGS);
	record->value = (const char *)*at + RECORD_SIZE;
	/* The value ends with the only NUL in it. */
	if (length == 0 || length > room || strnlen(record->value, length) != length - 1)
		return -1;
	size_t padded = ((size_t)length + FUSELAGE_MANIFEST_RECORD_ALIGNMENT - 1) &
			~(size_t)(FUSELAGE_MANIFEST_RECORD_ALIGNMENT - 1);
	*at += RECORD_SIZE + (padded < room ? padded : room);
	return 0;
}

static int parse_size(const char *text, uint64_t *size)
{
	char *end;

	if (*text < '0' || *text > '9')
		return -1;
	*size = strtoull(text, &end, 10);
	return *end || *size > INT64_MAX ? -1 : 0;
}

/* "SIZE SHA256 PATH". What is nothing of that kind counts as a record that is not known. */
static void take_hot(struct manifest *manifest, const char *text)
{
	struct hot_record *hot = &manifest->hot[manifest->hot_count];
	char *end;

	if (manifest->hot_count == FUSELAGE_MANIFEST_MAX_KEPT)
		return;
	hot->size = strtoull(text, &end, 10);
	hot->digest = end + 1;
	if (*end != ' ' || strspn(hot->digest, "0123456789abcdef") != 64 ||
	    hot->digest[64] != ' ' || !hot->digest[65])
		return;
	hot->path = hot->digest + 65;
	manifest->hot_count++;
}

static bool is_word(const char *text, size_t length, const char *word)
{
	return strlen(word) == length && memcmp(text, word, length) == 0;
}

static int parse_options(struct manifest *manifest, const char *file, const char *words,
			 struct failure *failure)
{
	while (*words) {
		size_t length = strcspn(words, ",");
		if (is_word(words, length, FUSELAGE_MANIFEST_WORD_NO_RUNTIME_OPTIONS))
			manifest->runtime_options = false;
		else if (is_word(words, length, FUSELAGE_MANIFEST_WORD_WRITABLE))
			manifest->writable = true;
		else if (is_word(words, length, FUSELAGE_MANIFEST_WORD_EXPAND_ARGS))
			manifest->expand_args = true;
		else if (length)
			return fail(failure, FUSELAGE_E_MANIFEST_VERSION,
				    "%s: manifest: option \"%.*s\" is not known", file, (int)length,
				    words);
		words += length + (words[length] == ',');
	}
	return 0;
}

static bool is_component(const char *name)
{
	return *name && !strchr(name, '/') && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

/* A hint: one that cannot be read is none. */
static void take_start(struct manifest *manifest, const char *text)
{
	size_t length = strlen(text);

	free(manifest->start);
	manifest->start = malloc(length / 4 * 3 + 3);
	manifest->start_size = manifest->start ? base64_decode_text(text, length, manifest->start) :
						 0;
}

static int take(struct manifest *manifest, const char *file, const struct record *record,
		struct failure *failure)
{
	static const char fixed[] = FIXED_DIRECTORY "/";

	/* To the program at the front, which has not what it takes, it is a record like any unknown. */
	if (flavour_is_runner && record->tag == FUSELAGE_MANIFEST_MAP)
		return map_parse(&manifest->maps[manifest->map_count++], record->value, failure);
	if (flavour_is_runner && record->tag == FUSELAGE_MANIFEST_SANDBOX) {
		manifest->sandbox.texts[manifest->sandbox.count++] = record->value;
		return 0;
	}
	if (flavour_is_runner && root_config_has(record->tag))
		return root_config_take(&manifest->root, file, record->tag, record->value, failure);
	switch (record->tag) {
	case FUSELAGE_MANIFEST_NAME:
		if (!is_component(record->value))
			return malformed(failure, file, "the name is not one path component");
		manifest->name = record->value;
		return 0;
	case FUSELAGE_MANIFEST_ENTRY:
		if (record->value[0] == 0 || record->value[0] == '/')
			return malformed(failure, file, "the entry is not a relative path");
		manifest->entry = record->value;
		return 0;
	case FUSELAGE_MANIFEST_ARG:
		manifest->args[manifest->arg_count++] = record->value;
		return 0;
	case FUSELAGE_MANIFEST_ENV:
	case FUSELAGE_MANIFEST_ENV_DEFAULT:
	case FUSELAGE_MANIFEST_ENV_PREPEND:
	case FUSELAGE_MANIFEST_ENV_APPEND:
	case FUSELAGE_MANIFEST_UNSET:
		if (record->value[0] == '=' || !*record->value ||
		    !strchr(record->value, '=') != (record->tag == FUSELAGE_MANIFEST_UNSET))
			return malformed(failure, file, "a variable has no name or no value");
		manifest->variables[manifest->variable_count++] =
			(struct variable){ record->tag, record->value };
		return 0;
	case FUSELAGE_MANIFEST_INVOCATION:
		manifest->invocation[manifest->invocation_count++] = record->value;
		return 0;
	case FUSELAGE_MANIFEST_MOUNT_AT:
		if (strncmp(record->value, fixed, sizeof fixed - 1) != 0 ||
		    !is_component(record->value + sizeof fixed - 1))
			return malformed(failure, file,
					 "the mount point is not " FIXED_DIRECTORY "/NAME");
		manifest->mount_at = record->value;
		return 0;
	case FUSELAGE_MANIFEST_IMAGE_SIZE:
		if (parse_size(record->value, &manifest->image_size) < 0)
			return malformed(failure, file, "the image size is no number");
		return 0;
	case FUSELAGE_MANIFEST_OPTIONS:
		return parse_options(manifest, file, record->value, failure);
	case FUSELAGE_MANIFEST_VERSION:
		manifest->version = record->value;
		return 0;
	case FUSELAGE_MANIFEST_ARCH:
		manifest->arch = record->value;
		return 0;
	case FUSELAGE_MANIFEST_NEEDS:
		/* Words that are not known are shown as they are: newer ones ask for the same. */
		manifest->needs = *record->value ? record->value : NULL;
		return 0;
	case FUSELAGE_MANIFEST_APPIMAGE:
		manifest->appimage = true;
		return 0;
	case FUSELAGE_MANIFEST_OPENSSL:
		manifest->openssl = record->value;
		return 0;
	case FUSELAGE_MANIFEST_START:
		take_start(manifest, record->value);
		return 0;
	case FUSELAGE_MANIFEST_KEEP:
		take_hot(manifest, record->value);
		return 0;
	case FUSELAGE_MANIFEST_LIBC:
		if (manifest->libc_count < sizeof manifest->libcs / sizeof *manifest->libcs)
			manifest->libcs[manifest->libc_count++] = record->value;
		return 0;
	default:
		if (record->flags & FUSELAGE_MANIFEST_CRITICAL)
			return fail(failure, FUSELAGE_E_MANIFEST_VERSION,
				    "%s: manifest: record %u is not known to runtime %s", file,
				    record->tag, FUSELAGE_VERSION);
		return 0;
	}
}

/* The program at the front knows no ROOT: to it there is an entry or an invocation. */
static bool has_one_start(const struct manifest *manifest)
{
	bool starts = manifest->entry || (flavour_is_runner && manifest->root.is_root);

	return starts == !manifest->invocation_count;
}

static int parse(struct manifest *manifest, const char *file, uint64_t size,
		 struct failure *failure)
{
	const uint8_t *raw = (const uint8_t *)manifest->bytes;
	long count = check_header(file, raw, size, failure);

	if (count < 0)
		return -1;
	manifest->args = calloc((size_t)count + 1, sizeof *manifest->args);
	manifest->variables = calloc((size_t)count + 1, sizeof *manifest->variables);
	manifest->invocation = calloc((size_t)count + 1, sizeof *manifest->invocation);
	manifest->maps = calloc((size_t)count + 1, sizeof *manifest->maps);
	if (!manifest->args || !manifest->variables || !manifest->invocation || !manifest->maps ||
	    (flavour_is_runner && (root_config_init(&manifest->root, (size_t)count) < 0 ||
				   text_list_init(&manifest->sandbox, (size_t)count) < 0)))
		return fail(failure, FUSELAGE_E_OUT_OF_MEMORY, "%s: manifest", file);

	const uint8_t *at = raw + HEADER_SIZE;
	const uint8_t *end = raw + le32(raw + FUSELAGE_MANIFEST_AT_TOTAL);
	for (long i = 0; i < count; i++) {
		struct record record;
		if (next_record(&at, end, &record) < 0)
			return malformed(failure, file, "a record does not fit");
		if (take(manifest, file, &record, failure) < 0)
			return -1;
	}
	if (!manifest->name || manifest->image_size == 0 || !has_one_start(manifest))
		return malformed(failure, file,
				 "expected a name, an image size, and an entry or an invocation");
	if (flavour_is_runner && manifest->root.is_root &&
	    (manifest->mount_at || manifest->map_count))
		return malformed(failure, file, "a root directory appears at no other path");
	if (flavour_is_runner && maps_check(manifest->maps, manifest->map_count, failure) < 0)
		return -1;
	return 1;
}

static bool all_zero(const char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (bytes[i])
			return false;
	return true;
}

int manifest_read(int fd, const char *file, uint64_t position, uint64_t size,
		  struct manifest *manifest, struct failure *failure)
{
	*manifest = (struct manifest){ .version = "", .arch = "", .runtime_options = true };
	if (size == 0)
		return 0;
	if (size > FUSELAGE_MANIFEST_MAX_SIZE)
		return fail(failure, FUSELAGE_E_MANIFEST_MALFORMED,
			    "%s: manifest: expected at most %u bytes, found %" PRIu64, file,
			    FUSELAGE_MANIFEST_MAX_SIZE, size);
	manifest->bytes = malloc((size_t)size);
	if (!manifest->bytes)
		return fail(failure, FUSELAGE_E_OUT_OF_MEMORY, "%s: manifest", file);
	ssize_t n = pread_full(fd, manifest->bytes, (size_t)size, position);
	if (n < 0)
		return fail_errno(failure, FUSELAGE_E_MANIFEST_MALFORMED, "%s: manifest", file);
	if ((uint64_t)n != size)
		return fail(failure, FUSELAGE_E_IMAGE_TRUNCATED,
			    "%s: the file ends inside the manifest: expected %" PRIu64
			    " bytes, found %zd",
			    file, size, n);
	if (all_zero(manifest->bytes, (size_t)size))
		return 0;
	if (size < HEADER_SIZE)
		return malformed(failure, file, "its section is shorter than its header");
	return parse(manifest, file, size, failure);
}
