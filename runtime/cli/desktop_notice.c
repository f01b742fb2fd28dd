/*
 * Someone who clicked on an icon sees no stderr. What desktops have is tried in turn by a process
 * of its own, which is nobody's child and holds nothing of the caller's.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/desktop_notice.h"
#include "base/child.h"
#include "base/descriptors.h"
#include "base/inherited.h"

#define TEXT_MAX 2048

static int show(void *argument)
{
	char **argv = argument;

	execvp(argv[0], argv);
	return 127;
}

#define ARGUMENT(text) ((char *)(uintptr_t)(text))

struct notice {
	const char *title;
	const char *text;
};

static int notifier_main(void *argument)
{
	const char *title = ((const struct notice *)argument)->title;
	const char *text = ((const struct notice *)argument)->text;
	char *const commands[][8] = {
		{ ARGUMENT("notify-send"), ARGUMENT("--urgency=critical"),
		  ARGUMENT("--icon=dialog-error"), ARGUMENT("--"), ARGUMENT(title),
		  ARGUMENT(text) },
		{ ARGUMENT("zenity"), ARGUMENT("--error"), ARGUMENT("--no-markup"),
		  ARGUMENT("--title"), ARGUMENT(title), ARGUMENT("--text"), ARGUMENT(text) },
		{ ARGUMENT("kdialog"), ARGUMENT("--title"), ARGUMENT(title), ARGUMENT("--error"),
		  ARGUMENT(text) },
		{ ARGUMENT("xmessage"), ARGUMENT("-center"), ARGUMENT("-title"), ARGUMENT(title),
		  ARGUMENT(text) },
	};
	int null = open("/dev/null", O_RDWR);

	setsid();
	inherited_reset_signals();
	for (int i = 0; i < 3; i++)
		dup2(null, i);
	close_from(3);
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		if (child_run(show, (void *)(uintptr_t)commands[i]) == 0)
			break; /* it ran and has nothing to complain about */
	return 0;
}

static bool is_set(const char *variable)
{
	const char *value = getenv(variable);

	return value && *value;
}

void desktop_notice(const struct bundle *bundle, const char *text, const char *hint)
{
	const char *slash = strrchr(bundle->path, '/');
	char title[300], body[TEXT_MAX];

	if (isatty(STDERR_FILENO) || (!is_set("DISPLAY") && !is_set("WAYLAND_DISPLAY")))
		return;
	snprintf(title, sizeof title, "Cannot start %.255s", slash ? slash + 1 : bundle->path);
	snprintf(body, sizeof body, "%s\n\n%s", text, hint);
	/* Some take markup, others would show what it is written as: nothing of it stays. */
	for (char *at = body; *at; at++)
		if (*at == '<' || *at == '&')
			*at = '_';
	/* This process ends now, and does not wait. */
	child_start(notifier_main, &(struct notice){ title, body });
}
