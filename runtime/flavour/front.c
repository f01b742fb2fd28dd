#include "flavour/flavour.h"

#include "flavour/sections.h"

const bool flavour_is_runner = false;
const bool flavour_is_guest = false;

/* Most bundles are neither AppImages nor signed; the builder gives the others the 10 KiB of sections. */
__asm__(MANIFEST_SECTION(RESERVE));
