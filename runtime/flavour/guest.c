#include "flavour/flavour.h"

const bool flavour_is_runner = true;
const bool flavour_is_guest = true;
