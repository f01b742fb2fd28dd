/*
 * Sections that a finished file fills in: ours for the manifest, the others as AppImage tools look
 * for them. Not allocated: they take no memory and no segment, and every reader finds them by name.
 */
#include "generated/sections.h"

#define RESERVE(name, bytes) ".pushsection " name ",\"\",%progbits\n.zero " #bytes "\n.popsection\n"

__asm__(RESERVED_SECTIONS(RESERVE));
