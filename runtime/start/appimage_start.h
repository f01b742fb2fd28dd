/* How an AppImage starts, where that is not how a bundle does. */
#ifndef APPIMAGE_START_H
#define APPIMAGE_START_H

#include "bundle/bundle.h"
#include "mount/mounting.h"

/*
 * What --appimage-extract-and-run and APPIMAGE_EXTRACT_AND_RUN ask for: files in memory of the
 * start's own, or with NO_CLEANUP on disk, where they stay for later starts (trees.h).
 */
void appimage_choose(struct mounting *mounting, const struct bundle *bundle);

/*
 * Looks for FILE.home and FILE.config, where their owners can still be told apart: before a
 * namespace is entered. They have to be the caller's own, below nothing that others can change.
 */
void appimage_look_beside(struct bundle *bundle, const struct caller *caller);

/* APPIMAGE, APPDIR, OWD, ARGV0, and HOME and XDG_CONFIG_HOME as they were found beside the file. Returns 0 or -1. */
int appimage_set_environment(const struct bundle *bundle, const char *root);

#endif
