#include "fuse/start_list.h"

#define VERSION 1
#define NUMBER_MOST 10 /* bytes of one */

void start_list_open(struct start_list *list, const uint8_t *bytes, size_t size)
{
	bool known = bytes && size > 0 && size <= START_LIST_BYTES && bytes[0] == VERSION;

	*list = (struct start_list){ 0 };
	if (known)
		*list = (struct start_list){ .at = bytes + 1, .end = bytes + size };
}

static bool take(struct start_list *list, uint64_t *value)
{
	*value = 0;
	for (unsigned shift = 0; list->at < list->end && shift < 64; shift += 7) {
		uint8_t byte = *list->at++;
		/* The tenth has room for one bit. */
		if (shift == 63 && byte > 1)
			return false;
		*value |= (uint64_t)(byte & 127) << shift;
		if (byte < 128)
			return true;
	}
	return false;
}

/* From `base`, by a number that stands for 0, -1, 1, -2 ...; false where that leads below 0 or beyond `most`. */
static bool move(uint64_t base, uint64_t zigzag, uint64_t most, uint64_t *to)
{
	uint64_t distance = (zigzag >> 1) + (zigzag & 1);

	if (zigzag & 1 ? distance > base : distance > most || base > most - distance)
		return false;
	*to = zigzag & 1 ? base - distance : base + distance;
	return true;
}

bool start_list_next(struct start_list *list, struct start_run *run)
{
	uint64_t step, place, pages, number;

	if (list->runs == START_LIST_RUNS || !take(list, &step) || !take(list, &place) ||
	    !take(list, &pages) || !move(list->number, step, UINT32_MAX, &number) || number == 0 ||
	    !move(number == list->number ? list->behind : 0, place, START_LIST_PAGES_MOST,
		  &run->first) ||
	    pages == 0 || pages > START_LIST_PAGES_MOST - run->first) {
		list->at = list->end;
		return false;
	}
	run->pages = pages;
	run->number = list->number = (uint32_t)number;
	list->behind = run->first + pages;
	list->runs++;
	return true;
}

static uint8_t *put(uint8_t *out, uint64_t value)
{
	for (; value >= 128; value >>= 7)
		*out++ = (uint8_t)(value | 128);
	*out++ = (uint8_t)value;
	return out;
}

static uint8_t *put_step(uint8_t *out, uint64_t from, uint64_t to)
{
	return put(out, to < from ? (from - to) * 2 - 1 : (to - from) * 2);
}

size_t start_list_write(const struct start_run *runs, size_t count, uint8_t out[START_LIST_BYTES])
{
	uint8_t *at = out;
	uint32_t number = 0;
	uint64_t behind = 0;
	unsigned written = 0;

	*at++ = VERSION;
	for (size_t i = 0; i < count && written < START_LIST_RUNS; written++) {
		struct start_run run = runs[i++];
		while (i < count && runs[i].number == run.number &&
		       runs[i].first == run.first + run.pages)
			run.pages += runs[i++].pages;
		if (at + 3 * NUMBER_MOST > out + START_LIST_BYTES)
			break;
		at = put_step(at, number, run.number);
		at = put_step(at, run.number == number ? behind : 0, run.first);
		at = put(at, run.pages);
		number = run.number;
		behind = run.first + run.pages;
	}
	return (size_t)(at - out);
}
