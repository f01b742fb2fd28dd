/*
 * Process 1 of a virtual machine, which starts a bundle in it: docs/vm-protocol.md. The bundle is the
 * machine's disk, and its image a partition of that, so the kernel reads it without our server.
 */
#ifndef GUEST_H
#define GUEST_H

#include "guest/disks.h"
#include "guest/run_file.h"
#include "guest/streams.h"

struct guest {
	struct run_file run;
	struct streams streams;
	struct disk app;
	struct disk root; /* the directory around the app; device "" where there is none */
};

#endif
