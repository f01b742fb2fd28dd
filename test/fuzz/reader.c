/*
 * Changes an image in memory, walks all of it through the reader, puts it back, again and again; in
 * some rounds it is extracted, by several threads, into a directory that is thrown away.
 * Built with ASan and UBSan, any crash or out-of-bounds access ends the run with a report.
 *
 *   fuzz-reader IMAGE SEED ROUNDS [bytes|fields]
 *
 * "bytes" changes any of them; "fields" needs an image whose tables are stored, and changes what
 * stands in its structures.
 *
 * Deterministic: a round's changes follow from the seed and its number, which is printed when
 * the reader hangs or crashes (SIGALRM after 20 s in one round).
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/remove.h"
#include "fields.h"
#include "squashfs/extract.h"
#include "walk.h"

#define BYTES_MAX (8u << 20)
#define EXTRACT_EVERY 32
#define EXTRACT_US 200000 /* of processor time, then it is interrupted */

static unsigned long current_round;

static void report_hang(int number)
{
	char line[64];
	int n = snprintf(line, sizeof line, "hang in round %lu\n", current_round);

	(void)!write(2, line, (size_t)n);
	signal(number, SIG_DFL);
	raise(number);
}

/* A flipped bit, a value at the edge of some range, or any value. */
static void change(uint8_t *byte, uint64_t random)
{
	static const uint8_t edges[] = { 0, 1, 0x7f, 0x80, 0xff, 0xfe };
	uint8_t any = (uint8_t)(random >> 8);

	if (random % 3 == 0)
		*byte ^= (uint8_t)(1u << any % 8);
	else
		*byte = random % 3 == 1 ? edges[any % sizeof edges] : any;
}

static volatile sig_atomic_t interrupted;

static void interrupt(int number)
{
	interrupted = number;
}

/* What it may write at the most follows from the limit of a file's size and of its time. */
static void extract(struct sqfs_reader *reader)
{
	const struct extract_options options = { .keep = 1u << EXTRACT_SET_ID |
							 1u << EXTRACT_PRIVILEGED_XATTRS,
						 .xattrs = true,
						 .interrupted = &interrupted };
	const struct itimerval limit = { .it_value.tv_usec = EXTRACT_US }, none = { 0 };
	static struct extract_report report;
	const char *parent = getenv("TMPDIR");
	char dir[4096];

	snprintf(dir, sizeof dir, "%s/fuzz-XXXXXX", parent ? parent : "/tmp");
	if (!mkdtemp(dir))
		return;
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	interrupted = 0;
	setitimer(ITIMER_PROF, &limit, NULL);
	extract_tree(reader, fd, &options, &report);
	setitimer(ITIMER_PROF, &none, NULL);
	close(fd);
	remove_tree(AT_FDCWD, dir);
}

static void one_round(int fd)
{
	char fault[SQFS_FAULT_MAX];
	struct sqfs fs;

	alarm(20);
	if (sqfs_open(&fs, fd, 0, 0, fault) != 0)
		return;
	struct sqfs_reader *reader = sqfs_reader_new(&fs, 3 << 17);
	if (reader)
		walk(reader, BYTES_MAX);
	if (reader && current_round % EXTRACT_EVERY == 0)
		extract(reader);
	sqfs_reader_free(reader);
}

int main(int argc, char **argv)
{
	struct stat st;

	if (argc != 4 && argc != 5)
		return 2;
	int source = open(argv[1], O_RDONLY);
	int fd = memfd_create("image", 0);
	if (source < 0 || fd < 0 || fstat(source, &st) < 0 || ftruncate(fd, st.st_size) < 0)
		return 2;
	size_t size = (size_t)st.st_size;
	uint8_t *bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	uint8_t *original = malloc(size);
	if (bytes == MAP_FAILED || !original || read(source, original, size) != st.st_size)
		return 2;
	const struct rlimit file_size = { BYTES_MAX, BYTES_MAX };
	bool by_field = argc == 5 && strcmp(argv[4], "fields") == 0;
	if (by_field && fields_find(original, size) == 0) {
		fprintf(stderr, "%s: its tables are compressed\n", argv[1]);
		return 2;
	}
	signal(SIGALRM, report_hang);
	signal(SIGPROF, interrupt);
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &file_size);

	unsigned long rounds = strtoul(argv[3], NULL, 10);
	for (current_round = 0; current_round < rounds; current_round++) {
		uint64_t state = (strtoull(argv[2], NULL, 10) + 1) * 0x9e3779b97f4a7c15u ^
				 (current_round + 1) * 0xbf58476d1ce4e5b9u;
		memcpy(bytes, original, size);
		if (by_field) {
			fields_change(bytes, &state);
			one_round(fd);
			continue;
		}
		unsigned changes = 1 + (unsigned)(next_random(&state) % 6);
		for (unsigned i = 0; i < changes; i++) {
			/* Half of them in the tables, which stand at the end; some in the superblock. */
			size_t span = i == 0 && next_random(&state) % 8 == 0 ? 96 :
				      next_random(&state) % 2		     ? size :
									       size / 4;
			size_t at = span == 96 ? (size_t)(next_random(&state) % 96) :
						 size - 1 - (size_t)(next_random(&state) % span);
			change(&bytes[at], next_random(&state));
		}
		one_round(fd);
	}
	free(original);
	printf("%lu rounds\n", rounds);
	return 0;
}
