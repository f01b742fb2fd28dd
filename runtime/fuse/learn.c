#include "fuse/learn.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/pages.h"
#include "cache/starts.h"
#include "fuse/session.h"

#define QUIET_MS 500
#define LONGEST_MS 30000

/* Less is not worth a thread: the list is then empty, which says so to later starts. */
#define LEAST_PAGES 256
/* A list is made anew when what it did not have is more than this and one page of so many. */
#define MISSED_PAGES 64
#define MISSED_SHARE 8

/* Pages are compared by groups of this many, 128 KiB. */
#define GROUP 32
#define GROUPS_MOST 65536u
#define SLOTS (2 * GROUPS_MOST)

struct lesson {
	struct start_run *runs;
	size_t count;
	uint64_t *known; /* groups of pages; 0: free */
	size_t groups;
	uint64_t listed, missed; /* pages */
};

/* The place of a group, or where it would be. */
static uint64_t *place_of(const struct lesson *lesson, uint32_t number, uint64_t group)
{
	uint64_t name = (uint64_t)number << 32 | (uint32_t)group;
	size_t at = (size_t)(name * UINT64_C(0x9e3779b97f4a7c15) >> 32) % SLOTS;

	while (lesson->known[at] && lesson->known[at] != name)
		at = (at + 1) % SLOTS;
	return &lesson->known[at];
}

static void add_group(struct lesson *lesson, uint32_t number, uint64_t group)
{
	uint64_t *place = place_of(lesson, number, group);

	if (*place || lesson->groups == GROUPS_MOST)
		return;
	*place = (uint64_t)number << 32 | (uint32_t)group;
	lesson->groups++;
}

static void add_run(struct lesson *lesson, const struct start_run *run)
{
	uint64_t last = (run->first + run->pages - 1) / GROUP;

	if (lesson->count == START_LIST_RUNS)
		return;
	lesson->runs[lesson->count++] = *run;
	for (uint64_t group = run->first / GROUP; group <= last && lesson->groups < GROUPS_MOST;
	     group++)
		add_group(lesson, run->number, group);
}

static void add_list(struct lesson *lesson, const struct fuse_server *server)
{
	struct start_list list;
	struct start_run run;

	start_list_open(&list, server->list, server->list_size);
	while (start_list_next(&list, &run)) {
		lesson->listed += run.pages;
		add_run(lesson, &run);
	}
}

/* What was asked for and was not there already, in order. */
static void add_reads(struct lesson *lesson, const struct fuse_reads *reads)
{
	size_t count = atomic_load(&reads->count);

	for (size_t i = 0; i < count && i < reads->room; i++) {
		const struct fuse_read *read = &reads->list[i];
		const struct start_run run = { read->first, read->pages, read->number };
		if (!read->pages || read->milliseconds > LONGEST_MS ||
		    *place_of(lesson, read->number, read->first / GROUP))
			continue;
		lesson->missed += read->pages;
		add_run(lesson, &run);
	}
}

static void write_lesson(const struct lesson *lesson, int file, bool worth)
{
	uint8_t *bytes = malloc(LEARN_FILE_MOST);

	if (!bytes)
		return;
	size_t size =
		start_list_write(lesson->runs, worth ? lesson->count : 0, bytes + STARTS_HEADER);
	starts_header(bytes, bytes + STARTS_HEADER, size);
	reads_put(file, bytes, STARTS_HEADER + size);
	free(bytes);
}

static void learn(struct fuse_server *server)
{
	struct lesson lesson = {
		.runs = pages_new(START_LIST_RUNS, sizeof *lesson.runs),
		.known = pages_new(SLOTS, sizeof *lesson.known),
	};

	if (lesson.runs && lesson.known) {
		add_list(&lesson, server);
		add_reads(&lesson, &server->reads);
		if (!server->list || lesson.missed > MISSED_PAGES + lesson.listed / MISSED_SHARE)
			write_lesson(&lesson, server->reads.file,
				     lesson.listed + lesson.missed >= LEAST_PAGES);
	}
	pages_free(lesson.runs, START_LIST_RUNS, sizeof *lesson.runs);
	pages_free(lesson.known, SLOTS, sizeof *lesson.known);
}

void learn_finish(struct fuse_server *server)
{
	if (!atomic_exchange(&server->settling.done, true) && !server->recording &&
	    server->reads.list)
		learn(server);
}

bool learn_goes_on(struct fuse_server *server)
{
	struct fuse_settling *settling = &server->settling;
	double now = clock_milliseconds() - settling->began;

	if (atomic_load_explicit(&settling->done, memory_order_relaxed))
		return false;
	if (prefetch_is_at_work(&server->prefetch) ||
	    (now - atomic_load_explicit(&settling->last_read, memory_order_relaxed) < QUIET_MS &&
	     now < LONGEST_MS))
		return true;
	learn_finish(server);
	return false;
}
