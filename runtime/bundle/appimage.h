/*
 * A runtime whose bytes 8 to 10 are 'A' 'I' 0x02 is an AppImage (type 2) and answers as one: its
 * own options, the variables that AppImages read and set, exit status 127 when it cannot start.
 */
#ifndef APPIMAGE_H
#define APPIMAGE_H

#include "bundle/bundle.h"
#include "start/start.h"

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

/*
 * Carries out the option that args[0] names. Returns 1 when it did, 0 when the app is to be
 * started, or -1. --appimage-extract-and-run is taken off args.
 */
int appimage_options(struct start *start, struct bundle *bundle, char ***args,
		     struct failure *failure);

/*
 * --appimage-mount, when all is mounted: prints where and waits for SIGINT, SIGTERM or SIGHUP.
 * Then, or when this process is killed, the mount goes.
 */
int appimage_hold(const struct start *start, struct failure *failure);

/*
 * What --appimage-extract-and-run and APPIMAGE_EXTRACT_AND_RUN ask for: files in memory of the
 * start's own, or with NO_CLEANUP on disk, where they stay for later starts (trees.h).
 */
void appimage_choose(struct start *start);

/*
 * Looks for FILE.home and FILE.config, where their owners can still be told apart: before a
 * namespace is entered. They have to be the caller's own, below nothing that others can change.
 */
void appimage_look_beside(struct bundle *bundle, const struct caller *caller);

/* APPIMAGE, APPDIR, OWD, ARGV0, and HOME and XDG_CONFIG_HOME as they were found beside the file. Returns 0 or -1. */
int appimage_set_environment(const struct bundle *bundle, const char *root);

/* What the failure of an AppImage is as an exit status, `status` being that of a bundle. */
int appimage_status(const struct bundle *bundle, const char *first, int status);

/*
 * Shows a failed start to a user who sees no terminal, by a notification or dialog of what is
 * installed. Returns at once.
 */
void appimage_tell(const struct bundle *bundle, const char *text, const char *hint);

#endif
