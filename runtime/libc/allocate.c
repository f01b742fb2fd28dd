/*
 * malloc, calloc, realloc and free in place of the libc's, which are written in Zig. Those take 64 KiB of address
 * space and a page for each size that a program asks for, by two system calls: in a start, which lasts half a
 * millisecond and allocates a few kilobytes of twelve sizes, that was an eighth of the system calls and half
 * of the page faults. Here what is small stands close together, at first in memory that the program begins with.
 *
 * (Zig's calloc also keeps the processor's overflow flag across a store to its stack frame. Where that store is the
 * first one in a page, it faults, and emulators are known that bring the flag back wrong: QEMU 7.2 of Debian 12,
 * without KVM, had one of 256 starts fail for want of memory.)
 *
 * A piece has a size of four steps to each doubling, and goes to a list of its size when it is freed. What is large
 * has pages of its own, which are given back.
 */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "libc/checked.h"

#if !defined(CHECKED) || defined(malloc) /* else those that see each access are there */

#define UNIT 16u /* bytes: every piece begins at a multiple of it */
#define STEPS 4u /* sizes to a doubling */
#define LINEAR (2 * STEPS) /* sizes of 1, 2, 3 ... units before that */
#define SIZES (LINEAR + 9 * STEPS)
#define PIECE_MOST (64u << 10) /* bytes, with its head */
#define FIRST_BYTES (48u << 10)
#define CHUNK_BYTES (256u << 10)
#define SIZE_MOST ((size_t)PTRDIFF_MAX - (64u << 10)) /* less than a page of any machine */

/* Before each piece. */
struct head {
	size_t room; /* bytes behind it */
	size_t size; /* number of the size, or SIZES: it has pages of its own */
};

/* In the place of a piece that is free. */
struct freed {
	struct freed *next;
};

_Static_assert(sizeof(struct head) == UNIT, "a piece begins at a multiple of a unit");

static _Alignas(UNIT) uint8_t first[FIRST_BYTES];

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of all that follows */
static uint8_t *at = first;
static size_t left = FIRST_BYTES; /* bytes, from `at` */
static struct freed *free_pieces[SIZES];

/* The number of the smallest size of at least `units`. */
static unsigned number_of(size_t units)
{
	size_t most = units - 1;

	if (units <= LINEAR)
		return (unsigned)most;
	unsigned shift = 63 - (unsigned)__builtin_clzll(most) - 2;
	return LINEAR + (shift - 1) * STEPS + (unsigned)(most >> shift) - STEPS;
}

/* Units of a size. */
static size_t units_of(unsigned number)
{
	if (number < LINEAR)
		return number + 1;
	if (number >= SIZES)
		__builtin_unreachable();
	number -= LINEAR;
	return (size_t)(number % STEPS + STEPS + 1) << (number / STEPS + 1);
}

static void *map(size_t bytes)
{
	void *pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return pages == MAP_FAILED ? NULL : pages;
}

/* Memory that nobody had before, all zeros. What is left of a chunk is given up where it is too little. */
static struct head *cut(size_t bytes)
{
	if (bytes > left) {
		uint8_t *chunk = map(CHUNK_BYTES);
		if (!chunk)
			return NULL;
		at = chunk;
		left = CHUNK_BYTES;
	}
	struct head *head = (struct head *)(void *)at;
	at += bytes;
	left -= bytes;
	return head;
}

static struct head *take_pages(size_t bytes)
{
	struct head *head = map(bytes);

	if (head)
		*head = (struct head){ bytes - sizeof *head, SIZES };
	return head;
}

static struct head *take_piece(size_t bytes, bool *used)
{
	unsigned number = number_of((bytes + UNIT - 1) / UNIT);
	size_t whole = units_of(number) * UNIT;

	pthread_mutex_lock(&lock);
	struct freed *found = free_pieces[number];
	struct head *head;
	*used = found != NULL;
	if (found) {
		free_pieces[number] = found->next;
		head = (struct head *)(void *)found - 1;
	} else {
		head = cut(whole);
	}
	pthread_mutex_unlock(&lock);
	if (head)
		*head = (struct head){ whole - sizeof *head, number };
	return head;
}

static void *take(size_t size, bool *used)
{
	size_t bytes = size + sizeof(struct head);
	struct head *head = NULL;

	*used = false;
	if (size <= SIZE_MOST)
		head = bytes > PIECE_MOST ? take_pages(bytes) : take_piece(bytes, used);
	if (head)
		return head + 1;
	errno = ENOMEM;
	return NULL;
}

void *malloc(size_t size)
{
	bool used;

	/* A piece that is free has room for a link. */
	return take(size ? size : 1, &used);
}

/* By a pointer: the compiler knows a shorter way to memory that is zero, calloc. */
static void *(*const volatile fill)(void *, int, size_t) = memset;

void *calloc(size_t count, size_t size)
{
	bool used;

	if (size && count > SIZE_MAX / size) {
		errno = ENOMEM;
		return NULL;
	}
	size_t bytes = count * size;
	void *memory = take(bytes ? bytes : 1, &used);
	if (memory && used)
		fill(memory, 0, bytes);
	return memory;
}

void free(void *memory)
{
	int error = errno;

	if (!memory)
		return;
	struct head *head = (struct head *)memory - 1;
	if (head->size == SIZES) {
		munmap(head, head->room + sizeof *head);
		errno = error;
		return;
	}
	struct freed *freed = memory;
	pthread_mutex_lock(&lock);
	freed->next = free_pieces[head->size];
	free_pieces[head->size] = freed;
	pthread_mutex_unlock(&lock);
}

void *realloc(void *memory, size_t size)
{
	if (!memory || !size) {
		free(memory);
		return memory ? NULL : malloc(size);
	}
	struct head *head = (struct head *)memory - 1;
	if (size <= head->room && (head->size < SIZES || size > PIECE_MOST))
		return memory;
	if (head->size == SIZES && size > PIECE_MOST && size <= SIZE_MOST) {
		size_t bytes = size + sizeof *head;
		head = mremap(head, head->room + sizeof *head, bytes, MREMAP_MAYMOVE);
		if (head == MAP_FAILED)
			return NULL;
		head->room = bytes - sizeof *head;
		return head + 1;
	}
	void *moved = malloc(size);
	if (!moved)
		return NULL;
	memcpy(moved, memory, size < head->room ? size : head->room);
	free(memory);
	return moved;
}

#endif
