/*
 * The runtime's malloc and its like: what is had is aligned, of the size that was asked for, zero from calloc, keeps
 * its bytes while others come and go, in several threads at once, and is used again when it was freed. Prints what is
 * wrong; exits 1 when anything is.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define malloc own_malloc
#define calloc own_calloc
#define realloc own_realloc
#define free own_free
#include "libc/allocate.c"
#undef malloc
#undef calloc
#undef realloc
#undef free

#define THREADS 4
#define HELD 200
#define ROUNDS 20000

static int wrong;

static void say(const char *what, size_t size)
{
	printf("%s: %zu bytes\n", what, size);
	wrong = 1;
}

/* Bytes that only this piece has. */
static uint8_t byte_of(size_t seed, size_t i)
{
	return (uint8_t)(seed * 31 + i * 7 + i / 251);
}

static void write_to(uint8_t *memory, size_t size, size_t seed)
{
	for (size_t i = 0; i < size; i++)
		memory[i] = byte_of(seed, i);
}

static bool is_whole(const uint8_t *memory, size_t size, size_t seed)
{
	for (size_t i = 0; i < size; i++)
		if (memory[i] != byte_of(seed, i))
			return false;
	return true;
}

/* Every size around each step, one after the other and all of them at once. */
static void try_sizes(void)
{
	static uint8_t *held[2200];
	static size_t sizes[2200];
	size_t count = 0;

	for (size_t size = 0; size <= 1100; size++)
		sizes[count++] = size;
	for (size_t power = 2048; power <= 1 << 17; power *= 2)
		for (size_t quarter = 4; quarter < 8; quarter++)
			for (size_t more = 0; more < 24; more++)
				sizes[count++] = power * quarter / 4 - 20 + more;
	for (size_t i = 0; i < count; i++) {
		held[i] = own_malloc(sizes[i]);
		if (!held[i] || (uintptr_t)held[i] % 16)
			say("malloc", sizes[i]);
		else
			write_to(held[i], sizes[i], i);
	}
	for (size_t i = 0; i < count; i++) {
		if (!is_whole(held[i], sizes[i], i))
			say("kept", sizes[i]);
		own_free(held[i]);
		void *again = own_malloc(sizes[i]);
		if (sizes[i] <= 32768 && again != held[i])
			say("used again", sizes[i]);
		own_free(again);
	}
}

static void try_realloc(void)
{
	size_t from = 1;
	uint8_t *memory = own_realloc(NULL, from);

	for (int way = 0; way < 2; way++)
		for (int i = 0; i < 60; i++) {
			size_t to = way ? from * 2 / 3 + 1 : from + from / 3 + 1;
			write_to(memory, from, 9);
			memory = own_realloc(memory, to);
			if (!memory || !is_whole(memory, from < to ? from : to, 9))
				say("realloc", to);
			from = to;
		}
	own_free(memory);
	own_free(NULL);
	if (own_realloc(own_malloc(5), 0))
		say("realloc", 0);
}

static void try_calloc(size_t count, size_t size, bool possible)
{
	errno = 0;
	uint8_t *memory = own_calloc(count, size);
	bool zero = true;

	for (size_t i = 0; memory && i < count * size; i++)
		zero = zero && memory[i] == 0;
	if (possible ? !memory || !zero : memory || errno != ENOMEM)
		say("calloc", count * size);
	if (memory)
		memset(memory, 0xa5, count * size);
	own_free(memory);
}

static void *come_and_go(void *argument)
{
	uint8_t *held[HELD] = { 0 };
	size_t sizes[HELD] = { 0 };
	size_t seed = (size_t)(uintptr_t)argument;
	uint64_t random = seed + 1;

	for (size_t round = 0; round < ROUNDS; round++) {
		random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
		size_t i = (size_t)(random >> 33) % HELD;
		if (!is_whole(held[i], sizes[i], seed + i))
			say("in a thread", sizes[i]);
		own_free(held[i]);
		sizes[i] = (size_t)(random >> 44) % (round % 64 ? 600 : 90000);
		held[i] = own_malloc(sizes[i]);
		if (!held[i])
			say("in a thread", sizes[i]);
		write_to(held[i], sizes[i], seed + i);
	}
	for (size_t i = 0; i < HELD; i++)
		own_free(held[i]);
	return NULL;
}

static void try_threads(void)
{
	pthread_t threads[THREADS];

	for (size_t i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, come_and_go, (void *)(uintptr_t)(i * 977)))
			say("a thread", i);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

int main(void)
{
	try_sizes();
	try_realloc();
	for (int round = 0; round < 2; round++) {
		try_calloc(1, 1, true);
		try_calloc(3, 5, true);
		try_calloc(0, 5, true);
		try_calloc(1, 233376, true);
		try_calloc(1 << 10, 1 << 12, true);
	}
	try_calloc(SIZE_MAX, 2, false);
	try_calloc(2, SIZE_MAX, false);
	try_calloc(SIZE_MAX / 2 + 1, 2, false);
	try_calloc((size_t)1 << 32, (size_t)1 << 32, false);
	try_calloc(SIZE_MAX / 16, 8, false);
	try_calloc(SIZE_MAX - 8, 1, false);
	try_calloc(PTRDIFF_MAX, 1, false);
	try_threads();
	return wrong;
}
