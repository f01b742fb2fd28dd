/* What an AppImage does for its user instead of starting the app: --appimage-*. */
#ifndef APPIMAGE_OPTIONS_H
#define APPIMAGE_OPTIONS_H

#include "bundle/bundle.h"
#include "kernel/privileges.h"
#include "start/procdir.h"

/*
 * Carries out the option that args[0] names. Returns 1 when it did, 0 when the app is to be
 * started, or -1. --appimage-extract-and-run is taken off args.
 */
int appimage_options(const struct caller *caller, struct bundle *bundle, char ***args,
		     struct failure *failure);

/*
 * --appimage-mount, when all is mounted: prints where and waits for SIGINT, SIGTERM or SIGHUP.
 * Then, or when this process is killed, the mount goes.
 */
int appimage_hold(const char *target, const struct procdir *procdir, struct failure *failure);

#endif
