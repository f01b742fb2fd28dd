/* Little-endian stores to unaligned bytes. */
#ifndef ZIP_PUT_H
#define ZIP_PUT_H

#include <stdint.h>
#include <string.h>

static inline void put16(uint8_t *bytes, uint16_t value)
{
	memcpy(bytes, &value, sizeof value);
}

static inline void put32(uint8_t *bytes, uint32_t value)
{
	memcpy(bytes, &value, sizeof value);
}

static inline void put64(uint8_t *bytes, uint64_t value)
{
	memcpy(bytes, &value, sizeof value);
}

#endif
