/*
 * Requests to the FUSE server, well-formed ones and any bytes, of images that are sound and of
 * images in which some bytes were changed. The device is a pair of functions that stand in for
 * read(2) and writev(2); every answer is held against what the kernel takes, and, of a sound image,
 * against what the reader says. What the helper's thread would do is done between two requests.
 *
 * FUZZ_IMAGES names a folder of images. An input is
 *
 *   image         1 byte; the highest bit: changed
 *   changes       1 byte, how many: 3 bytes where, 1 byte what; a changed image only
 *   requests      opcode 1 byte, node 1 byte, length of the body 2 bytes, body
 *
 * where the opcode is an index in `opcodes`, or another number for a message of any bytes, and the
 * node is the root, one that an answer named, or 8 bytes in front of the body.
 */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fuse/readahead.c" /* for what only its thread calls */
#include "fuse/operations.h"
#include "fuse/threads.h"
#include "target.h"

#define DEVICE (-2)
#define IMAGES_MAX 16
#define NODES_MAX 200
#define NAME_MOST 1024 /* FUSE_NAME_MAX */
#define ERROR_MOST 512 /* the kernel takes smaller ones only */
#define COMPARE_MOST 65536

static const uint8_t opcodes[] = {
	FUSE_LOOKUP,	FUSE_GETATTR,	   FUSE_READLINK,   FUSE_OPEN,	    FUSE_READ,
	FUSE_STATFS,	FUSE_RELEASE,	   FUSE_GETXATTR,   FUSE_LISTXATTR, FUSE_OPENDIR,
	FUSE_READDIR,	FUSE_READDIRPLUS,  FUSE_RELEASEDIR, FUSE_INIT,	    FUSE_FORGET,
	FUSE_INTERRUPT, FUSE_BATCH_FORGET, FUSE_DESTROY,    FUSE_FLUSH,	    52, /* STATX */
	FUSE_LSEEK,	FUSE_WRITE,	   FUSE_IOCTL,	    FUSE_SETATTR,
};

static struct {
	uint8_t *bytes;
	size_t size;
} images[IMAGES_MAX];
static size_t image_count;

/* The input that is not read yet. */
static const uint8_t *at, *end;

/* What this input has to do with. */
static struct sqfs fs;
static struct fuse_server server;
static const struct fuse_kept no_copies[1];
static struct sqfs_reader *judge; /* reads the same image, with a cache of its own */
static bool sound;
static uint64_t nodes[NODES_MAX];
static size_t node_count;

/* The request that was handed out last. */
static _Alignas(8) uint8_t message[FUSE_REQUEST_MAX];
static size_t message_size;
static unsigned answers;

static const struct fuse_in_header *request(void)
{
	return (const struct fuse_in_header *)message;
}

static uint64_t take_number(unsigned width)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < width && at < end; i++)
		value |= (uint64_t)*at++ << 8 * i;
	return value;
}

static void remember(uint64_t node)
{
	if (node && node_count < NODES_MAX)
		nodes[node_count++] = node;
}

static uint64_t choose_node(void)
{
	uint64_t choice = take_number(1);

	if (choice == 255)
		return take_number(8);
	return node_count ? nodes[choice % node_count] : FUSE_ROOT_ID;
}

/* Puts the next request into `message`; false at the end of the input. */
static bool next_message(void)
{
	struct fuse_in_header header = { .unique = 2, .uid = 0, .pid = 1 };

	if (at >= end)
		return false;
	uint64_t opcode = take_number(1);
	if (opcode < sizeof opcodes) {
		header.opcode = opcodes[opcode];
		header.nodeid = choose_node();
		header.uid = (uint32_t)(opcode & 1);
	}
	size_t length = (size_t)take_number(2) % (FUSE_REQUEST_MAX - sizeof header);
	if (length > (size_t)(end - at))
		length = (size_t)(end - at);
	size_t head = opcode < sizeof opcodes ? sizeof header : 0;
	header.len = (uint32_t)(head + length);
	memcpy(message, &header, head);
	memcpy(message + head, at, length);
	at += length;
	message_size = head + length;
	/* To the kernel 0 is a notification, which no request is. */
	((struct fuse_in_header *)message)->unique |= 2;
	return true;
}

/* Takes all lines, so that the files in them are looked for. */
static int log_file(void)
{
	static int file = -1;

	if (file < 0)
		file = open("/dev/null", O_WRONLY | O_CLOEXEC);
	return file;
}

ssize_t __real_read(int fd, void *buffer, size_t size);
ssize_t __wrap_read(int fd, void *buffer, size_t size);
ssize_t __real_writev(int fd, const struct iovec *parts, int count);
ssize_t __wrap_writev(int fd, const struct iovec *parts, int count);

static bool wants_answer(void)
{
	uint32_t opcode = request()->opcode;

	return opcode != FUSE_FORGET && opcode != FUSE_BATCH_FORGET && opcode != FUSE_INTERRUPT;
}

static void run_helper(void)
{
	struct readahead_job job;
	uint64_t index;

	while (take(&server.helper, WAIT_NOT, &job))
		run(&server.helper, &job);
	for (int i = 0; i < 4 && readahead_blocks_next(&server.helper.sweep, &index); i++)
		sweep_block(&server.helper, index);
}

/* The kernel hands out a request when it has the answer to the one before. */
ssize_t __wrap_read(int fd, void *buffer, size_t size)
{
	if (fd != DEVICE)
		return __real_read(fd, buffer, size);
	if (message_size >= sizeof(struct fuse_in_header))
		require(answers == wants_answer());
	run_helper();
	answers = 0;
	if (!next_message()) {
		errno = ENODEV;
		return -1;
	}
	require(message_size <= size);
	memcpy(buffer, message, message_size);
	return (ssize_t)message_size;
}

static uint64_t ref_of(uint64_t node)
{
	return node == FUSE_ROOT_ID ? fs.super.root_ref : node - 2;
}

/* The node of an inode that the export table of a sound image names, not one that was made up. */
static bool is_real(uint64_t node)
{
	struct sqfs_inode inode;
	uint64_t same;

	return sound && sqfs_inode_read(judge, ref_of(node), &inode) == 0 &&
	       sqfs_inode_by_number(judge, inode.number, &same) == 0 && same == ref_of(node);
}

static void check_attr(const struct fuse_attr *attr)
{
	require(attr->size <= INT64_MAX);
	require(S_ISREG(attr->mode) || S_ISDIR(attr->mode) || S_ISLNK(attr->mode) ||
		S_ISCHR(attr->mode) || S_ISBLK(attr->mode) || S_ISFIFO(attr->mode) ||
		S_ISSOCK(attr->mode));
}

static void check_entry(const struct fuse_entry_out *entry, size_t size)
{
	require(size == sizeof *entry);
	if (!entry->nodeid)
		return;
	check_attr(&entry->attr);
	require(entry->generation == 0);
	remember(entry->nodeid);
}

/* Whatever the offset was, a listing gives what is in the directory. */
static void check_listed(const struct fuse_dirent *dirent, const struct fuse_entry_out *plus)
{
	uint64_t node = request()->nodeid;
	struct sqfs_inode dir;
	struct sqfs_entry entry;

	if (dirent->name[0] == '.' || !is_real(node))
		return;
	require(sqfs_inode_read(judge, ref_of(node), &dir) == 0);
	require(sqfs_dir_lookup(judge, &dir, dirent->name, dirent->namelen, &entry) == 0);
	require(entry.number == dirent->ino && (!plus || plus->nodeid == entry.ref + 2));
}

static void check_listing(const uint8_t *data, size_t size, bool plus)
{
	const struct fuse_read_in *in = (const void *)(message + sizeof(struct fuse_in_header));
	size_t head = plus ? FUSE_NAME_OFFSET_DIRENTPLUS : FUSE_NAME_OFFSET;
	uint64_t last = in->offset;

	require(size <= in->size);
	while (size) {
		union {
			struct fuse_dirent dirent;
			uint8_t bytes[FUSE_NAME_OFFSET + NAME_MOST];
		} one;
		struct fuse_entry_out entry = { 0 };
		require(size > head);
		memcpy(one.bytes, data + head - FUSE_NAME_OFFSET, FUSE_NAME_OFFSET);
		size_t length = one.dirent.namelen;
		size_t step = FUSE_DIRENT_ALIGN(head + length);
		require(length > 0 && length <= NAME_MOST && step <= size);
		memcpy(one.dirent.name, data + head, length);
		require(!memchr(one.dirent.name, '/', length) &&
			!memchr(one.dirent.name, 0, length));
		/* Or whoever reads on would never come to the end. */
		require(one.dirent.off > last);
		last = one.dirent.off;
		if (plus)
			memcpy(&entry, data, sizeof entry);
		check_entry(&entry, sizeof entry);
		check_listed(&one.dirent, plus ? &entry : NULL);
		data += step;
		size -= step;
	}
}

static void check_read(const uint8_t *data, size_t size)
{
	static uint8_t wanted[COMPARE_MOST];
	const struct fuse_read_in *in = (const void *)(message + sizeof(struct fuse_in_header));
	struct sqfs_inode inode;

	require(size <= in->size && size <= FUSE_REPLY_MAX);
	require(sqfs_inode_read(judge, ref_of(request()->nodeid), &inode) == 0);
	uint64_t left = in->offset < inode.size ? inode.size - in->offset : 0;
	/* A short answer is the end of the file. */
	require(size == (left < in->size ? left : in->size));
	if (!sound || size > COMPARE_MOST)
		return;
	require(sqfs_pread(judge, &inode, wanted, size, in->offset) == (ssize_t)size);
	require(memcmp(wanted, data, size) == 0);
}

static void check_xattr(const uint8_t *data, size_t size, bool list)
{
	const struct fuse_getxattr_in *in = (const void *)(message + sizeof(struct fuse_in_header));
	struct fuse_getxattr_out out;

	if (in->size == 0) {
		require(size == sizeof out);
		memcpy(&out, data, size);
		require(out.size <= 65536);
		return;
	}
	require(size <= in->size && size <= 65536);
	require(!list || size == 0 || data[size - 1] == 0);
}

/* "." leads from any number to an inode that is there, or nowhere; so does every name of a real one. */
static void check_lookup(const struct fuse_entry_out *entry, size_t size)
{
	const char *name = (const char *)message + sizeof(struct fuse_in_header);

	check_entry(entry, size);
	if (entry->nodeid && sound && fs.super.export_table != SQFS_NO_TABLE &&
	    (strncmp(name, ".", message_size - sizeof(struct fuse_in_header)) == 0 ||
	     is_real(request()->nodeid)))
		require(is_real(entry->nodeid));
}

/* A sound image is not called damaged because of what was asked. */
static void check_failure(int error)
{
	uint32_t opcode = request()->opcode;

	if (opcode == FUSE_LOOKUP || opcode == FUSE_READDIR || opcode == FUSE_READDIRPLUS)
		require(error != EIO || !is_real(request()->nodeid));
}

static void check_answer(const uint8_t *data, size_t size)
{
	switch (request()->opcode) {
	case FUSE_LOOKUP:
		check_lookup((const void *)data, size);
		break;
	case FUSE_GETATTR:
		require(size == sizeof(struct fuse_attr_out));
		check_attr(&((const struct fuse_attr_out *)data)->attr);
		break;
	case FUSE_READLINK:
		require(size > 0 && size < PATH_MAX && !memchr(data, 0, size));
		break;
	case FUSE_OPEN:
	case FUSE_OPENDIR:
		require(size == sizeof(struct fuse_open_out));
		break;
	case FUSE_READ:
		check_read(data, size);
		break;
	case FUSE_READDIR:
	case FUSE_READDIRPLUS:
		check_listing(data, size, request()->opcode == FUSE_READDIRPLUS);
		break;
	case FUSE_STATFS:
		require(size == sizeof(struct fuse_statfs_out));
		break;
	case FUSE_GETXATTR:
	case FUSE_LISTXATTR:
		check_xattr(data, size, request()->opcode == FUSE_LISTXATTR);
		break;
	case FUSE_INIT:
		require(size == sizeof(struct fuse_init_out) ||
			size == FUSE_COMPAT_22_INIT_OUT_SIZE);
		break;
	default:
		require(size == 0);
	}
}

/* What is put into the page cache must be the file's, and must not make it longer. */
static void check_store(const uint8_t *data, size_t size)
{
	static uint8_t wanted[COMPARE_MOST];
	struct fuse_notify_store_out out;
	struct sqfs_inode inode;

	require(size >= sizeof out);
	memcpy(&out, data, sizeof out);
	data += sizeof out;
	require(out.size > 0 && out.size == size - sizeof out);
	require(sqfs_inode_read(judge, ref_of(out.nodeid), &inode) == 0);
	require(out.offset < inode.size && out.size <= inode.size - out.offset);
	if (!sound)
		return;
	size = out.size < COMPARE_MOST ? out.size : COMPARE_MOST;
	require(sqfs_pread(judge, &inode, wanted, size, out.offset) == (ssize_t)size);
	require(memcmp(wanted, data, size) == 0);
}

ssize_t __wrap_writev(int fd, const struct iovec *parts, int count)
{
	static _Alignas(8) uint8_t data[sizeof(struct fuse_out_header) + FUSE_REPLY_MAX + 64];
	struct fuse_out_header header;
	size_t size = 0;

	if (fd != DEVICE)
		return __real_writev(fd, parts, count);
	for (int i = 0; i < count; i++) {
		require(parts[i].iov_len <= sizeof data - size);
		memcpy(data + size, parts[i].iov_base, parts[i].iov_len);
		size += parts[i].iov_len;
	}
	require(size >= sizeof header);
	memcpy(&header, data, sizeof header);
	require(header.len == size);
	if (header.unique == 0) {
		require(header.error == FUSE_NOTIFY_STORE);
		check_store(data + sizeof header, size - sizeof header);
		/* Every other time nobody knows the file. */
		errno = ENOENT;
		return header.len & 1 ? -1 : (ssize_t)size;
	}
	answers++;
	require(header.unique == request()->unique);
	require(header.error <= 0 && header.error > -ERROR_MOST);
	if (header.error)
		require(size == sizeof header);
	if (header.error)
		check_failure(-header.error);
	else
		check_answer(data + sizeof header, size - sizeof header);
	return (ssize_t)size;
}

static void ready(struct fuse_server *of, int error)
{
	(void)of;
	(void)error;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *folder = getenv("FUZZ_IMAGES");
	struct dirent **names;
	char path[4096];
	int count = folder ? scandir(folder, &names, NULL, alphasort) : 0;

	(void)argc;
	(void)argv;
	for (int i = 0; i < count; i++) {
		struct stat st;
		snprintf(path, sizeof path, "%s/%s", folder, names[i]->d_name);
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
		    image_count < IMAGES_MAX) {
			size_t size = (size_t)st.st_size;
			images[image_count].bytes = malloc(size);
			images[image_count].size = size;
			require(images[image_count].bytes &&
				__real_read(fd, images[image_count].bytes, size) == st.st_size);
			image_count++;
		}
		close(fd);
		free(names[i]);
	}
	if (count > 0)
		free(names);
	if (!image_count) {
		fprintf(stderr, "FUZZ_IMAGES names no folder of images\n");
		exit(2);
	}
	return 0;
}

static int open_image(void)
{
	uint64_t choice = take_number(1);
	size_t index = (size_t)(choice & 127) % image_count;
	size_t size = images[index].size;
	static uint8_t *changed;
	uint8_t *bytes = images[index].bytes;

	sound = !(choice & 128);
	if (!sound) {
		bytes = changed = realloc(changed, size);
		require(bytes);
		memcpy(bytes, images[index].bytes, size);
		for (uint64_t left = take_number(1); left; left--) {
			size_t where = (size_t)take_number(3) % size;
			bytes[where] = (uint8_t)take_number(1);
		}
	}
	int fd = input_file(bytes, size);
	return sqfs_open(&fs, fd, 0, 0, NULL);
}

static void serve(void)
{
	struct fuse_worker *worker;

	server = (struct fuse_server){
		.device = DEVICE,
		.processors = 2,
		.threads = 1,
		.fs = &fs,
		.cache = sqfs_cache_new(&fs, 1 << 20, 3),
		.turn = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, false },
		.grown = true, /* no threads of its own */
		.kept = no_copies,
		.log = { .socket = log_file() },
		.ready = ready,
	};
	readahead_init(&server.helper, &server);
	server.helper.running = true;
	server.helper.reader = sqfs_reader_share(&fs, server.cache);
	judge = sqfs_reader_new(&fs, 1 << 20);
	worker = fuse_worker_new(&server);
	require(server.cache && server.helper.reader && judge && worker);
	/* The last one may have been too short to be one. */
	int ended = fuse_work(worker);
	require(ended == ENODEV || ended == EPROTO);
	sqfs_reader_free(worker->reader);
	sqfs_reader_free(server.helper.reader);
	sqfs_reader_free(judge);
	sqfs_cache_free(server.cache);
	free(worker->reply);
	free(worker);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	at = data;
	end = data + size;
	node_count = message_size = answers = 0;
	remember(FUSE_ROOT_ID);
	if (open_image() == 0)
		serve();
	return 0;
}
