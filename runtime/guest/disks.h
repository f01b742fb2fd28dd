/* The machine's disks: bundles as whole files, and what is in them as a partition. */
#ifndef GUEST_DISKS_H
#define GUEST_DISKS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fail.h"
#include "bundle/bundle.h"

#define DISK_NAME_MAX 32

struct disk {
	char device[DISK_NAME_MAX]; /* "/dev/vda", or "" */
	char image[DISK_NAME_MAX + 2]; /* what is to be mounted: "/dev/vda1" */
	struct bundle
		bundle; /* without a reader: the kernel is that. A bare image has no manifest */
};

/*
 * Finds the disk with the serial number, or as long as none has one of ours the one at `place` (0 is the
 * first), waits for it, and reads what is at its front. A bare image is taken where `bare` is true.
 */
int disk_open(struct disk *disk, const char *serial, unsigned place, bool bare,
	      struct failure *failure);

/* Mounts its image at the directory, with flags beside MS_RDONLY and MS_NODEV. */
int disk_mount(const struct disk *disk, const char *target, unsigned long flags,
	       struct failure *failure);

#endif
