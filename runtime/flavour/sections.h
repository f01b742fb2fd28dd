/*
 * Sections that a finished file fills in: ours for the manifest, the others as AppImage tools look
 * for them. Not allocated: they take no memory and no segment, and every reader finds them by name.
 */
#ifndef FLAVOUR_SECTIONS_H
#define FLAVOUR_SECTIONS_H

#include "generated/sections.h"

/* For __asm__ outside of functions: a section of so many zeros. */
#define RESERVE(name, bytes) ".pushsection " name ",\"\",%progbits\n.zero " #bytes "\n.popsection\n"

#endif
