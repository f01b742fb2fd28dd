#ifndef DESKTOP_NOTICE_H
#define DESKTOP_NOTICE_H

#include "bundle/bundle.h"

/*
 * Shows a failed start to a user who sees no terminal, by a notification or dialog of what is
 * installed. Returns at once.
 */
void desktop_notice(const struct bundle *bundle, const char *text, const char *hint);

#endif
