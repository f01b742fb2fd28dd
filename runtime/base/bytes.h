/* Little-endian loads from unaligned bytes, and reads that do not stop half way. */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the formats here are little endian and read by copying"
#endif

static inline uint16_t le16(const void *bytes)
{
	uint16_t value;
	memcpy(&value, bytes, sizeof value);
	return value;
}

static inline uint32_t le32(const void *bytes)
{
	uint32_t value;
	memcpy(&value, bytes, sizeof value);
	return value;
}

static inline uint64_t le64(const void *bytes)
{
	uint64_t value;
	memcpy(&value, bytes, sizeof value);
	return value;
}

/* Reads until `size` bytes are there or the file ends. Returns how many, or -1 and errno. */
ssize_t pread_full(int fd, void *buffer, size_t size, uint64_t position);

/* Writes all of it. Returns 0, or -1 and errno. */
int write_full(int fd, const void *buffer, size_t size);

#endif
