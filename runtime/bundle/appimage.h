/*
 * An AppImage (type 2) answers as one: its own options, the variables that AppImages read and set,
 * exit status 127 when it cannot start. A file is an AppImage when bytes 8 to 10 are 'A' 'I' 0x02,
 * when its manifest records it, or when it has no manifest but an image with AppRun in its root.
 * The last two hold where users zeroed the bytes, which keep Docker, qemu and binfmt_misc from
 * starting the file.
 */
#ifndef APPIMAGE_H
#define APPIMAGE_H

#include "bundle/bundle.h"

/*
 * Right after the own file was opened: whether it is an AppImage by its magic, or stands for
 * `target`. AppImageLauncher copies the bytes before the image into memory, takes the magic away
 * (its binfmt rule must not match again) and runs that with TARGET_APPIMAGE.
 */
bool appimage_is_marked(const struct bundle *bundle, const char *target);

/*
 * Of an AppImage, by whatever sign: settles which file is meant. That is `target` when it is given;
 * in a file that is no AppImage the variable means nothing. Returns 1 when another file was opened,
 * whose image is yet to be found, 0, or -1.
 */
int appimage_settle(struct bundle *bundle, const char *target, struct failure *failure);

/* Whether the image has AppRun in its root. Returns 1, 0, or -1. */
int appimage_has_apprun(const struct bundle *bundle, struct failure *failure);

/*
 * Stands in for the manifest that an AppImage of another maker does not have: the image at `offset`
 * up to the end of the file, and AppRun in its root. Returns 1, or -1.
 */
int appimage_take_image(struct bundle *bundle, uint64_t offset, struct failure *failure);

/* What the failure of an AppImage is as an exit status, `status` being that of a bundle. */
int appimage_status(const struct bundle *bundle, const char *first, int status);

#endif
