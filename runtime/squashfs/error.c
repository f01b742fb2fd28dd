#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "squashfs/reader.h"

const char *sqfs_strerror(int error)
{
	switch (error) {
	case SQFS_EIO:
		return "the file cannot be read";
	case SQFS_ETRUNCATED:
		return "the file ends inside the image";
	case SQFS_EMAGIC:
		return "there is no squashfs image";
	case SQFS_EVERSION:
		return "the squashfs version is not 4.0";
	case SQFS_EBIGENDIAN:
		return "the image is big-endian squashfs (version 3 or older)";
	case SQFS_ESUPER:
		return "the superblock is corrupt";
	case SQFS_ECODEC:
		return "the image's compressor is not supported";
	case SQFS_ETABLE:
		return "a table is corrupt";
	case SQFS_EMETADATA:
		return "a metadata block is corrupt";
	case SQFS_EDECOMPRESS:
		return "a block does not decompress";
	case SQFS_EINODE:
		return "an inode is corrupt";
	case SQFS_EDIRECTORY:
		return "a directory is corrupt";
	case SQFS_EFRAGMENT:
		return "a fragment is corrupt";
	case SQFS_EXATTR:
		return "an extended attribute is corrupt";
	case SQFS_ENOMEM:
		return "out of memory";
	case SQFS_ENOENT:
		return "no such file in the image";
	case SQFS_ENOTDIR:
		return "not a directory in the image";
	case SQFS_ELOOP:
		return "too many levels of links or directories";
	case SQFS_ERANGE:
		return "result too large";
	case SQFS_ECHANGED:
		return "the file was changed while it was in use";
	default:
		return "unknown error";
	}
}

enum sqfs_error_class sqfs_error_class(int error)
{
	switch (error) {
	case SQFS_EIO:
		return SQFS_CLASS_UNREADABLE;
	case SQFS_ETRUNCATED:
		return SQFS_CLASS_TRUNCATED;
	case SQFS_EMAGIC:
		return SQFS_CLASS_MISSING;
	case SQFS_EVERSION:
	case SQFS_EBIGENDIAN:
	case SQFS_ECODEC:
		return SQFS_CLASS_UNSUPPORTED;
	case SQFS_ENOMEM:
		return SQFS_CLASS_MEMORY;
	default:
		return SQFS_CLASS_CORRUPT;
	}
}

int sqfs_errno(int error)
{
	switch (error) {
	case SQFS_ENOMEM:
		return ENOMEM;
	case SQFS_ENOENT:
		return ENOENT;
	case SQFS_ENOTDIR:
		return ENOTDIR;
	case SQFS_ELOOP:
		return ELOOP;
	case SQFS_ERANGE:
		return ERANGE;
	default:
		return EIO;
	}
}

const char *sqfs_compressor_name(unsigned compressor)
{
	static const char *const names[] = {
		[SQFS_GZIP] = "gzip", [SQFS_LZMA] = "lzma", [SQFS_LZO] = "lzo",
		[SQFS_XZ] = "xz",     [SQFS_LZ4] = "lz4",   [SQFS_ZSTD] = "zstd",
	};

	return compressor < sizeof names / sizeof *names ? names[compressor] : NULL;
}

int sqfs_fail(struct sqfs_reader *reader, int error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(reader->fault, sizeof reader->fault, format, arguments);
	va_end(arguments);
	return error;
}

const char *sqfs_fault(const struct sqfs_reader *reader)
{
	return reader->fault;
}
