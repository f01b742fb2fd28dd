/*
 * What a program made of these objects can do. The linker reads the constant, so what only the runner
 * needs is not in the program at the front of a bundle: its size is part of every bundle.
 */
#ifndef FLAVOUR_FLAVOUR_H
#define FLAVOUR_FLAVOUR_H

#include <stdbool.h>

/*
 * True in `fuselage`, which takes command lines of its own and archives of every format. False in the
 * program at the front of a bundle, which starts the squashfs image behind it.
 */
extern const bool flavour_is_runner;

/*
 * True in `guest`, process 1 of a virtual machine, where the kernel alone reads images: it has no reader
 * of ours.
 */
extern const bool flavour_is_guest;

#endif
