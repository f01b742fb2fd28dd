#include "cli/starts_report.h"

#include <inttypes.h>
#include <time.h>

#include "cache/starts.h"
#include "fuse/start_list.h"

#define MINUTE 60
#define HOUR 3600
#define DAY 86400

static void print_list(FILE *out, const char *whose, const uint8_t *bytes, size_t size)
{
	struct start_list list;
	struct start_run run;
	uint64_t pages = 0;
	unsigned count = 0;

	start_list_open(&list, bytes, size);
	for (; start_list_next(&list, &run); count++)
		pages += run.pages; /* of 2^14 runs at the most, each below 2^51 */
	if (count)
		fprintf(out, "starts      %s: %" PRIu64 " KiB in %u ranges, by a list of %zu bytes",
			whose, pages * (START_LIST_PAGE / 1024), count, size);
	else
		fprintf(out, "starts      %s: nothing is read ahead, by an empty list", whose);
}

/* Whole units of time that have passed; a clock that was set back has passed none. */
static void print_age(FILE *out, time_t age)
{
	if (age < HOUR)
		fprintf(out, ", used %u minutes ago\n", age > 0 ? (unsigned)(age / MINUTE) : 0);
	else if (age < DAY)
		fprintf(out, ", used %u hours ago\n", (unsigned)(age / HOUR));
	else
		fprintf(out, ", used %u days ago\n", (unsigned)(age / DAY));
}

void starts_report(FILE *out, const struct start *start)
{
	const struct archive *archive = start->invocation.archives;
	struct learned_start learned;
	time_t used = 0;

	if (archive->format != ARCHIVE_SQUASHFS)
		return;
	if (archive->start) {
		print_list(out, "the bundle's", archive->start, archive->start_size);
		fputc('\n', out);
		return;
	}
	starts_look(&learned, start->home, &archive->fs, start->identity.caller.uid, &used);
	if (learned.list) {
		print_list(out, "learned", learned.list, learned.size);
		print_age(out, time(NULL) - used);
	} else {
		fputs("starts      nothing is learned of what they read\n", out);
	}
	starts_close(&learned);
}
