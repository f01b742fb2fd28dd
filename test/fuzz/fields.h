/* Finds the fields of an image whose tables are stored, and changes them. */
#ifndef FUZZ_FIELDS_H
#define FUZZ_FIELDS_H

#include <stddef.h>
#include <stdint.h>

/* Deterministic; the state must not be 0. */
uint64_t next_random(uint64_t *state);

/* Returns how many fields were found: 0 when the tables are compressed. */
size_t fields_find(const uint8_t *image, size_t size);

/*
 * Changes some of them: to the edges of their range, a little up or down, to what the same field of
 * another structure holds (so that directories contain each other, files share blocks, fragments
 * and ids belong to others), or the type of an inode together with that in its entries.
 */
void fields_change(uint8_t *image, uint64_t *state);

#endif
