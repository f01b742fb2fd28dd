/*
 * Asks the FUSE server what the kernel would not, without a kernel: its requests are made here, and
 * its answers are taken in place of writev(2).
 *
 *   fuse-requests IMAGE offsets PATH    lists the directory from every offset, and from any number
 *   fuse-requests IMAGE handles         asks for "." at every place of the inode table
 *   fuse-requests IMAGE parents         asks for ".." of every inode
 *   fuse-requests IMAGE init MINOR FLAGS
 *   fuse-requests IMAGE read PATH OFFSET SIZE
 *   fuse-requests IMAGE short           cuts every request at every byte
 *   fuse-requests IMAGE pages SIZE...
 *
 * Prints what came of it; "wrong: ..." and status 1 for an answer that must not be.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fuse/operations.h"
#include "fuse/threads.h"

#define DEVICE (-2)
#define ENTRIES_MAX 20000
#define ROOM 4096 /* of one listing; many of them make up a large directory */

static struct sqfs fs;
static struct fuse_server server;
static const struct fuse_kept no_copies[1];
static struct fuse_worker *worker;
static struct sqfs_reader *reader; /* of our own, to compare with */

/* The last answer. */
static uint8_t answer[FUSE_REPLY_MAX + 64];
static size_t answer_size;
static int answer_error;
static unsigned answers;

/* What read(2) gives: one message, then the end. */
static _Alignas(8) uint8_t message[FUSE_REQUEST_MAX];
static size_t message_size;

__attribute__((format(printf, 1, 2))) static _Noreturn void wrong(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	printf("wrong: ");
	vprintf(format, arguments);
	printf("\n");
	va_end(arguments);
	exit(1);
}

ssize_t __real_read(int fd, void *buffer, size_t size);
ssize_t __wrap_read(int fd, void *buffer, size_t size);
ssize_t __wrap_writev(int fd, const struct iovec *parts, int count);

ssize_t __wrap_read(int fd, void *buffer, size_t size)
{
	if (fd != DEVICE)
		return __real_read(fd, buffer, size);
	if (!message_size) {
		errno = ENODEV;
		return -1;
	}
	ssize_t n = (ssize_t)message_size;
	memcpy(buffer, message, message_size);
	message_size = 0;
	return n;
}

ssize_t __wrap_writev(int fd, const struct iovec *parts, int count)
{
	struct fuse_out_header header;
	size_t size = 0;

	if (fd != DEVICE || parts->iov_len != sizeof header)
		wrong("an answer to another descriptor, or without a header");
	memcpy(&header, parts->iov_base, sizeof header);
	for (int i = 1; i < count; i++) {
		memcpy(answer + size, parts[i].iov_base, parts[i].iov_len);
		size += parts[i].iov_len;
	}
	if (header.len != sizeof header + size || header.error > 0)
		wrong("a header of %u bytes and error %d", header.len, header.error);
	answer_size = size;
	answer_error = -header.error;
	answers++;
	return (ssize_t)header.len;
}

static void ask(uint32_t opcode, uint64_t node, const void *body, size_t size)
{
	const struct fuse_in_header header = {
		.len = (uint32_t)(sizeof header + size),
		.opcode = opcode,
		.unique = 2,
		.nodeid = node,
	};

	memcpy(message, &header, sizeof header);
	memcpy(message + sizeof header, body, size);
	message_size = sizeof header + size;
	answers = 0;
	answer_error = -1;
	fuse_work(worker);
}

static uint64_t find(const char *path)
{
	struct sqfs_inode inode;

	if (sqfs_path_lookup(reader, path, false, &inode))
		wrong("%s: %s", path, sqfs_fault(reader));
	return fuse_node_of(&server, inode.ref);
}

struct name {
	uint64_t offset, next;
	uint64_t node; /* with READDIRPLUS */
	char text[SQFS_NAME_MAX + 1];
};

static struct name names[ENTRIES_MAX];
static size_t name_count;

/* Asks for one listing; adds what it holds. Returns how many. */
static size_t list(uint64_t node, uint64_t offset, bool plus, struct name *out)
{
	const struct fuse_read_in in = { .offset = offset, .size = ROOM };
	size_t head = plus ? FUSE_NAME_OFFSET_DIRENTPLUS : FUSE_NAME_OFFSET;
	size_t count = 0;

	ask(plus ? FUSE_READDIRPLUS : FUSE_READDIR, node, &in, sizeof in);
	if (answers != 1 || answer_error)
		return 0;
	for (size_t at = 0; at < answer_size; count++) {
		struct fuse_dirent dirent;
		struct fuse_entry_out entry = { 0 };
		memcpy(&dirent, answer + at + head - FUSE_NAME_OFFSET, FUSE_NAME_OFFSET);
		if (plus)
			memcpy(&entry, answer + at, sizeof entry);
		out[count] = (struct name){ offset, dirent.off, entry.nodeid, "" };
		memcpy(out[count].text, answer + at + head, dirent.namelen);
		offset = dirent.off;
		at += FUSE_DIRENT_ALIGN(head + dirent.namelen);
	}
	return count;
}

/* Where a name of the listing is, or -1. */
static long place_of(const char *text)
{
	for (size_t i = 0; i < name_count; i++)
		if (strcmp(names[i].text, text) == 0)
			return (long)i;
	return -1;
}

/* A listing from this offset must be a part of the whole one, in its order. */
static void try_offset(uint64_t node, uint64_t offset, bool plus, long expected)
{
	static struct name some[ROOM / 24];
	size_t count = list(node, offset, plus, some);
	long place = count ? place_of(some[0].text) : -1;

	/* A sound image is not called damaged because of a number. */
	if (answers != 1 || answer_error)
		wrong("offset %" PRIu64 ": %s", offset, strerror(answer_error));
	if (expected >= 0 && place != expected)
		wrong("offset %" PRIu64 " gives entry %ld, expected %ld", offset, place, expected);
	for (size_t i = 0; i < count; i++) {
		const struct name *there = &names[(size_t)place + i];
		if (place < 0 || (size_t)place + i >= name_count ||
		    strcmp(there->text, some[i].text) != 0)
			wrong("offset %" PRIu64 " gives \"%s\"", offset, some[i].text);
		if (plus && some[i].node != there->node)
			wrong("offset %" PRIu64 ": \"%s\" is node %" PRIu64 ", expected %" PRIu64,
			      offset, some[i].text, some[i].node, there->node);
	}
}

static int offsets(const char *path)
{
	static const uint64_t edges[] = { 1u << 31,  UINT64_C(1) << 41, INT64_MAX - 1,
					  INT64_MAX, UINT64_MAX - 2,	UINT64_MAX - 1,
					  UINT64_MAX };
	uint64_t node = find(path);
	size_t tried = 0;

	for (uint64_t offset = 0;;) {
		size_t more = list(node, offset, true, names + name_count);
		if (!more)
			break;
		name_count += more;
		offset = names[name_count - 1].next;
	}
	if (name_count < 2)
		wrong("%s: %zu entries", path, name_count);
	uint64_t last = names[name_count - 1].next;
	/* Backwards, so that none is where the server has just been. */
	for (size_t i = name_count; i-- > 0; tried++)
		try_offset(node, names[i].offset, i & 1, (long)i);
	/* Every number where it is feasible, else steps that meet all kinds of places. */
	uint64_t step = last < 200000 ? 1 : last / 20011 | 1;
	for (uint64_t offset = 0; offset < last + 2 * step; offset += step, tried++)
		try_offset(node, offset, offset & 1, -1);
	for (size_t i = 0; i < sizeof edges / sizeof *edges; i++, tried++)
		try_offset(node, edges[i], i & 1, -1);
	printf("%zu entries, %s\n", name_count, tried > name_count + 1000 ? "many offsets" : "few");
	return 0;
}

/* Every inode by its number: what is there, as the export table has it. */
static bool is_exported(uint64_t ref)
{
	uint64_t known;

	for (uint32_t i = 1; i <= fs.super.inode_count; i++)
		if (sqfs_inode_by_number(reader, i, &known) == 0 && known == ref)
			return true;
	return false;
}

static int handles(void)
{
	uint32_t found = 0;

	for (uint64_t block = 0; block < fs.super.directory_table - fs.super.inode_table; block++)
		for (uint64_t at = 0; at < (block ? 64 : SQFS_META_SIZE); at++) {
			uint64_t ref = block << 16 | at;
			struct fuse_entry_out entry;
			ask(FUSE_LOOKUP, fuse_node_of(&server, ref), ".", 2);
			memcpy(&entry, answer, sizeof entry);
			bool given = !answer_error && entry.nodeid;
			if (given &&
			    (entry.nodeid != fuse_node_of(&server, ref) || !is_exported(ref)))
				wrong("a handle of %" PRIu64 ":%" PRIu64, block, at);
			found += given;
		}
	printf("%s\n", found == fs.super.inode_count ? "all inodes" : "not all inodes");
	return 0;
}

static int parents(void)
{
	unsigned directories = 0, others = 0;

	for (uint32_t i = 1; i <= fs.super.inode_count; i++) {
		struct sqfs_inode inode, parent;
		struct fuse_entry_out entry;
		struct sqfs_entry found;
		uint64_t ref, cookie = 0;
		bool back = false;
		if (sqfs_inode_by_number(reader, i, &ref) || sqfs_inode_read(reader, ref, &inode))
			wrong("inode %u: %s", i, sqfs_fault(reader));
		ask(FUSE_LOOKUP, fuse_node_of(&server, ref), "..", 3);
		memcpy(&entry, answer, sizeof entry);
		bool given = !answer_error && entry.nodeid;
		if (given != (inode.type == SQFS_DIR))
			wrong("inode %u of type %u: .. is %s", i, inode.type,
			      given ? "there" : "not there");
		others += !given;
		if (!given)
			continue;
		directories++;
		if (entry.nodeid == FUSE_ROOT_ID)
			ref = fs.super.root_ref;
		else
			ref = entry.nodeid - 2;
		back = inode.ref == fs.super.root_ref && ref == inode.ref;
		if (sqfs_inode_read(reader, ref, &parent))
			wrong("parent of %u: %s", i, sqfs_fault(reader));
		while (!back && sqfs_dir_next(reader, &parent, cookie, &found) == 1) {
			back = found.ref == inode.ref;
			cookie = found.next;
		}
		if (!back)
			wrong("inode %u is not in its parent", i);
	}
	printf("%u directories, %s\n", directories, others ? "and others" : "no others");
	return 0;
}

static int init(uint32_t minor, uint64_t flags)
{
	struct fuse_init_in in = {
		.major = FUSE_KERNEL_VERSION,
		.minor = minor,
		.flags = (uint32_t)flags,
		.flags2 = (uint32_t)(flags >> 32),
	};
	struct fuse_init_out out;

	ask(FUSE_INIT, 0, &in, sizeof in);
	if (answers != 1 || answer_error)
		wrong("INIT: error %d", answer_error);
	memcpy(&out, answer, sizeof out);
	printf("exports %d, no exports %d, %u pages\n", !!(out.flags & FUSE_EXPORT_SUPPORT),
	       out.flags2 >> 6 & 1, out.max_pages);
	return 0;
}

static int read_file(const char *path, uint64_t offset, uint32_t size)
{
	static uint8_t wanted[FUSE_REPLY_MAX];
	const struct fuse_read_in in = { .offset = offset, .size = size };
	uint64_t node = find(path);
	struct sqfs_inode inode;

	ask(FUSE_READ, node, &in, sizeof in);
	if (answer_error) {
		printf("%s\n", strerror(answer_error));
		return 0;
	}
	if (sqfs_path_lookup(reader, path, false, &inode) ||
	    sqfs_pread(reader, &inode, wanted, answer_size, offset) != (ssize_t)answer_size ||
	    memcmp(wanted, answer, answer_size) != 0)
		wrong("other bytes than in the file");
	printf("%zu bytes\n", answer_size);
	return 0;
}

/* Every kind of request, of which the last bytes are not there. */
static int cut_requests(void)
{
	static const uint8_t body[128];
	unsigned requests = 0;

	for (uint32_t opcode = 1; opcode < 64; opcode++)
		for (size_t size = 0; size <= sizeof body; size++, requests++) {
			bool none = opcode == FUSE_FORGET || opcode == FUSE_BATCH_FORGET ||
				    opcode == FUSE_INTERRUPT;
			/* Of its own length, so that ASan sees what is read behind its end. */
			uint8_t *copy = malloc(size);
			struct fuse_in_header header = { .opcode = opcode, .nodeid = FUSE_ROOT_ID };
			struct fuse_request request = { &header, copy, size };
			if (!copy && size)
				return 2;
			memcpy(copy, body, size);
			answers = 0;
			if (!none && opcode != FUSE_INIT)
				fuse_operate(worker, &request);
			else
				ask(opcode, FUSE_ROOT_ID, body, size);
			free(copy);
			if (answers != !none)
				wrong("%u answers to %zu bytes of request %u", answers, size,
				      opcode);
		}
	/* And messages that are no requests: too short, or of another length than they say. */
	for (size_t size = 1; size < 80; size++) {
		memset(message, 0, sizeof message);
		message_size = size;
		answers = 0;
		if (fuse_work(worker) != EPROTO || answers)
			wrong("a message of %zu bytes", size);
	}
	printf("%u requests\n", requests);
	return 0;
}

static void ready(struct fuse_server *of, int error)
{
	(void)of;
	(void)error;
}

static void open_image(const char *path)
{
	char fault[SQFS_FAULT_MAX];
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || sqfs_open(&fs, fd, 0, 0, fault))
		wrong("%s: %s", path, fd < 0 ? strerror(errno) : fault);
	server = (struct fuse_server){
		.device = DEVICE,
		.processors = 1,
		.fs = &fs,
		.cache = sqfs_cache_new(&fs, 16 << 20, 2),
		.turn = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, false },
		.grown = true, /* no threads */
		.kept = no_copies,
		.log = { .socket = -1 },
		.ready = ready,
	};
	worker = fuse_worker_new(&server);
	reader = sqfs_reader_new(&fs, 1 << 20);
	if (!worker || !reader)
		exit(2);
}

/* The runtime's own strtoull knows decimal numbers alone. */
static uint64_t hexadecimal(const char *text)
{
	uint64_t number;

	if (sscanf(text, "%" SCNx64, &number) != 1)
		wrong("%s is no number", text);
	return number;
}

static int carry_out(int count, char **arguments)
{
	const char *what = arguments[0];

	if (strcmp(what, "offsets") == 0 && count == 2)
		return offsets(arguments[1]);
	if (strcmp(what, "handles") == 0)
		return handles();
	if (strcmp(what, "parents") == 0)
		return parents();
	if (strcmp(what, "init") == 0 && count == 3)
		return init((uint32_t)strtoul(arguments[1], NULL, 10), hexadecimal(arguments[2]));
	if (strcmp(what, "read") == 0 && count == 4)
		return read_file(arguments[1], strtoull(arguments[2], NULL, 10),
				 (uint32_t)strtoul(arguments[3], NULL, 10));
	if (strcmp(what, "short") == 0)
		return cut_requests();
	if (strcmp(what, "pages") != 0)
		return 2;
	for (int i = 1; i < count; i++)
		printf("%u\n", fuse_max_pages((unsigned)strtoul(arguments[i], NULL, 10)));
	return 0;
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	open_image(argv[1]);
	int status = carry_out(argc - 2, argv + 2);
	sqfs_reader_free(worker->reader);
	sqfs_reader_free(reader);
	sqfs_cache_free(server.cache);
	free(worker->reply);
	free(worker);
	return status;
}
