/*
 * A runtime whose bytes 8 to 10 are 'A' 'I' 0x02 is an AppImage (type 2) and answers as one: its
 * own options, the variables that AppImages read and set, exit status 127 when it cannot start.
 */
#ifndef APPIMAGE_H
#define APPIMAGE_H

#include "bundle/bundle.h"

/*
 * Right after the own file was opened: tells whether it is an AppImage, and for which file it
 * stands. That is `target` when it is given. AppImageLauncher copies the bytes before the image
 * into memory, takes the magic away (its binfmt rule must not match again) and runs that with
 * TARGET_APPIMAGE; in any other file without the magic the variable means nothing.
 */
int appimage_identify(struct bundle *bundle, const char *target, struct failure *failure);

/*
 * Stands in for the manifest that an AppImage of another maker does not have: the image at `offset`
 * up to the end of the file, and AppRun in its root. Returns 1, or -1.
 */
int appimage_take_image(struct bundle *bundle, uint64_t offset, struct failure *failure);

/* What the failure of an AppImage is as an exit status, `status` being that of a bundle. */
int appimage_status(const struct bundle *bundle, const char *first, int status);

#endif
