/* Where the app's files are in this machine: the directories that every start has. */
#ifndef GUEST_IMAGE_H
#define GUEST_IMAGE_H

#include "guest/guest.h"
#include "start/start.h"

/* Mounts the images of the guest's disks, and tells the start where the app's is. */
int image_place(struct start *start, struct guest *guest, struct failure *failure);

/* Directory of the image of disk `root`. */
#define GUEST_ROOT_IMAGE STARTS_DIRECTORY "/root"

#endif
