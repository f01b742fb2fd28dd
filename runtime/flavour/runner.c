#include "flavour/flavour.h"

#include "flavour/sections.h"

const bool flavour_is_runner = true;
const bool flavour_is_guest = false;

/* All of them, so that other tools can make an AppImage of this file and an image. */
__asm__(MANIFEST_SECTION(RESERVE) RESERVED_SECTIONS(RESERVE));
