/* The end of a start, in the words of all failures of the runtime. */
#include "stubs/loader.h"
#include "stubs/text.h"

#define EXIT_STATUS 127 /* what a shell says of a program that cannot be started */

/* Texts in a table would be addresses, which nobody relocates here. */
static const char *code_of(enum own_loader_failure failure)
{
	switch (failure) {
#define CODE(code, hint) \
	case code:       \
		return #code;
		OWN_LOADER_FAILURES(CODE)
#undef CODE
	}
	return "";
}

static const char *hint_of(enum own_loader_failure failure)
{
	switch (failure) {
#define HINT(code, hint) \
	case code:       \
		return hint;
		OWN_LOADER_FAILURES(HINT)
#undef HINT
	}
	return "";
}

_Noreturn void give_up(enum own_loader_failure failure, const char *what, const char *path)
{
	char text[2 * PATH_BYTES + 1024];
	const char *end = text + sizeof text;
	char *at = text_put(text, end, "fuselage: [");

	at = text_put(text_put(at, end, code_of(failure)), end, "] ");
	at = text_put(text_put(at, end, what), end, path);
	at = text_put(text_put(at, end, "\n  "), end, hint_of(failure));
	at = text_put(at, end, "\n");
	kernel(CALL_WRITE, 2, (word)text, (word)(at - text), 0, 0, 0);
	for (;;)
		kernel(CALL_EXIT_GROUP, EXIT_STATUS, 0, 0, 0, 0, 0);
}
