#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "squashfs/reader.h"

const char *sqfs_strerror(int error)
{
	switch (error) {
#define WORDS(name, text) \
	case name:        \
		return text;
		SQFS_ERRORS(WORDS)
#undef WORDS
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
#define NUMBER(name, number) \
	case name:           \
		return number;
		SQFS_ERROR_NUMBERS(NUMBER)
#undef NUMBER
	default:
		return EIO;
	}
}

const char *sqfs_compressor_name(unsigned compressor)
{
	static const char *const names[] = {
#define NAME(compressor, text) [compressor] = text,
		SQFS_COMPRESSORS(NAME)
#undef NAME
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
