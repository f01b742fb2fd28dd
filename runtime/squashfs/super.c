/* The superblock: 96 bytes from which everything else is found. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/bytes.h"
#include "squashfs/reader.h"

__attribute__((format(printf, 3, 4))) static int refuse(char *fault, int error, const char *format,
							...)
{
	va_list arguments;

	if (fault) {
		va_start(arguments, format);
		vsnprintf(fault, SQFS_FAULT_MAX, format, arguments);
		va_end(arguments);
	}
	return error;
}

static void decode(struct sqfs_super *super, const uint8_t *raw)
{
	*super = (struct sqfs_super){
		.inode_count = le32(raw + SQFS_SUPER_INODE_COUNT),
		.mtime = le32(raw + SQFS_SUPER_MTIME),
		.block_size = le32(raw + SQFS_SUPER_BLOCK_SIZE),
		.fragment_count = le32(raw + SQFS_SUPER_FRAGMENT_COUNT),
		.compressor = le16(raw + SQFS_SUPER_COMPRESSOR),
		.block_log = le16(raw + SQFS_SUPER_BLOCK_LOG),
		.flags = le16(raw + SQFS_SUPER_FLAGS),
		.id_count = le16(raw + SQFS_SUPER_ID_COUNT),
		.root_ref = le64(raw + SQFS_SUPER_ROOT),
		.bytes_used = le64(raw + SQFS_SUPER_BYTES_USED),
		.id_table = le64(raw + SQFS_SUPER_ID_TABLE),
		.xattr_table = le64(raw + SQFS_SUPER_XATTR_TABLE),
		.inode_table = le64(raw + SQFS_SUPER_INODE_TABLE),
		.directory_table = le64(raw + SQFS_SUPER_DIRECTORY_TABLE),
		.fragment_table = le64(raw + SQFS_SUPER_FRAGMENT_TABLE),
		.export_table = le64(raw + SQFS_SUPER_EXPORT_TABLE),
	};
	/* Writers differ in what they put here when there are no fragments. */
	if (super->fragment_count == 0)
		super->fragment_table = SQFS_NO_TABLE;
}

/* The tables follow each other in this order; each is at least as long as its index. */
static int check_tables(const struct sqfs_super *super, char *fault)
{
	const struct {
		const char *name;
		uint64_t start;
		uint64_t least; /* bytes of the index, or of one metadata block */
	} tables[] = {
		{ "inode", super->inode_table, 3 },
		{ "directory", super->directory_table, 0 },
		{ "fragment", super->fragment_table,
		  (((uint64_t)super->fragment_count * 16 + SQFS_META_SIZE - 1) / SQFS_META_SIZE) *
			  8 },
		{ "export", super->export_table,
		  (((uint64_t)super->inode_count * 8 + SQFS_META_SIZE - 1) / SQFS_META_SIZE) * 8 },
		{ "id", super->id_table,
		  (((uint64_t)super->id_count * 4 + SQFS_META_SIZE - 1) / SQFS_META_SIZE) * 8 },
		{ "xattr", super->xattr_table, 16 },
	};
	uint64_t previous = SQFS_SUPER_SIZE;

	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
		bool optional = i == 2 || i == 3 || i == 5;
		uint64_t start = tables[i].start;

		if (start == SQFS_NO_TABLE && optional)
			continue;
		if (start < previous || start > super->bytes_used ||
		    super->bytes_used - start < tables[i].least)
			return refuse(fault, SQFS_ETABLE,
				      "superblock: %s table at %" PRIu64
				      ", expected between %" PRIu64 " and %" PRIu64,
				      tables[i].name, start, previous, super->bytes_used);
		previous = start + tables[i].least;
	}
	return 0;
}

static int check(const struct sqfs_super *super, const uint8_t *raw, char *fault)
{
	unsigned major = le16(raw + SQFS_SUPER_MAJOR);
	unsigned minor = le16(raw + SQFS_SUPER_MINOR);

	if (major != SQFS_MAJOR || minor != SQFS_MINOR)
		return refuse(fault, SQFS_EVERSION, "superblock: version %u.%u, expected 4.0",
			      major, minor);
	if (super->block_log < 12 || super->block_log > 20 ||
	    super->block_size != UINT32_C(1) << super->block_log)
		return refuse(fault, SQFS_ESUPER,
			      "superblock: block size %" PRIu32
			      " with log2 %u, expected a power of "
			      "two from 4096 to 1048576",
			      super->block_size, super->block_log);
	if (!codec_known(super->compressor)) {
		const char *name = sqfs_compressor_name(super->compressor);
		return refuse(fault, SQFS_ECODEC, "superblock: compressor %u%s%s%s",
			      super->compressor, name ? " (" : "", name ? name : "",
			      name ? ")" : "");
	}
	if (super->inode_count == 0 || super->id_count == 0)
		return refuse(fault, SQFS_ESUPER,
			      "superblock: %" PRIu32 " inodes and %u ids, expected at least one",
			      super->inode_count, super->id_count);
	/* A fragment holds at least a byte, an inode at least 20 in the uncompressed table. */
	if (super->fragment_count > super->bytes_used)
		return refuse(fault, SQFS_ESUPER,
			      "superblock: %" PRIu32 " fragments in %" PRIu64 " bytes",
			      super->fragment_count, super->bytes_used);
	return 0;
}

static int open_xattrs(struct sqfs *fs, char *fault)
{
	const struct sqfs_super *super = &fs->super;
	uint8_t raw[16];

	if (super->xattr_table == SQFS_NO_TABLE)
		return 0;
	if (pread_full(fs->fd, raw, sizeof raw, fs->offset + super->xattr_table) != sizeof raw)
		return refuse(fault, SQFS_EIO, "xattr table at %" PRIu64 ": cannot be read",
			      super->xattr_table);
	fs->xattr_values = le64(raw);
	fs->xattr_ids = le32(raw + 8);
	fs->xattr_index = super->xattr_table + 16;

	uint64_t blocks = ((uint64_t)fs->xattr_ids * 16 + SQFS_META_SIZE - 1) / SQFS_META_SIZE;
	if (fs->xattr_values < super->directory_table || fs->xattr_values > super->xattr_table ||
	    super->bytes_used - fs->xattr_index < blocks * 8)
		return refuse(fault, SQFS_ETABLE,
			      "xattr table at %" PRIu64 ": %" PRIu32 " ids, values at %" PRIu64
			      " of %" PRIu64 " bytes",
			      super->xattr_table, fs->xattr_ids, fs->xattr_values,
			      super->bytes_used);
	return 0;
}

int sqfs_open(struct sqfs *fs, int fd, uint64_t offset, uint64_t length, char *fault)
{
	uint8_t raw[SQFS_SUPER_SIZE];
	struct stat st;
	int error;

	*fs = (struct sqfs){ .fd = fd, .offset = offset };
	if (fstat(fd, &st) < 0)
		return refuse(fault, SQFS_EIO, "file: cannot be examined");

	fs->file_size = st.st_size;
	fs->file_time = st.st_mtim;
	ssize_t n = pread_full(fd, raw, sizeof raw, offset);
	if (n < 0)
		return refuse(fault, SQFS_EIO, "superblock at %" PRIu64 ": cannot be read", offset);
	if (n >= 4 && le32(raw) == SQFS_MAGIC_BIG_ENDIAN)
		return refuse(fault, SQFS_EBIGENDIAN, "superblock: magic sqsh, expected hsqs");
	if (n >= 4 && le32(raw) != SQFS_MAGIC)
		return refuse(fault, SQFS_EMAGIC,
			      "bytes at %" PRIu64 ": magic 0x%08" PRIx32 ", expected 0x%08x",
			      offset, le32(raw), SQFS_MAGIC);
	if (n < SQFS_SUPER_SIZE)
		return refuse(fault, SQFS_ETRUNCATED,
			      "superblock at %" PRIu64 ": %zd bytes, expected %d", offset, n,
			      SQFS_SUPER_SIZE);
	decode(&fs->super, raw);
	error = check(&fs->super, raw, fault);
	if (error)
		return error;

	/* A block device has no size here; reading tells. */
	uint64_t there = S_ISREG(st.st_mode) ? (uint64_t)st.st_size - offset : UINT64_MAX - offset;
	uint64_t room = length && length < there ? length : there;
	if (fs->super.bytes_used < SQFS_SUPER_SIZE || fs->super.bytes_used > INT64_MAX - offset)
		return refuse(fault, SQFS_ESUPER, "superblock: image of %" PRIu64 " bytes",
			      fs->super.bytes_used);
	if (fs->super.bytes_used > room)
		return refuse(fault, length && length <= there ? SQFS_ESUPER : SQFS_ETRUNCATED,
			      "image at %" PRIu64 ": %" PRIu64 " bytes, expected %" PRIu64, offset,
			      room, fs->super.bytes_used);
	error = check_tables(&fs->super, fault);
	if (error)
		return error;
	return open_xattrs(fs, fault);
}

uint64_t inode_limit(const struct sqfs *fs)
{
	return fs->super.directory_table;
}

uint64_t directory_limit(const struct sqfs *fs)
{
	if (fs->super.fragment_table != SQFS_NO_TABLE)
		return fs->super.fragment_table;
	if (fs->super.export_table != SQFS_NO_TABLE)
		return fs->super.export_table;
	return fs->super.id_table;
}
