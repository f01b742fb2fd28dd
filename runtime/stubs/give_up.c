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

/* In the C library's words, for what can keep a file from being opened or mapped. */
static const char *text_of(int error)
{
	switch (error) {
	case NO_PERMISSION:
		return "operation not permitted";
	case INPUT_OUTPUT:
		return "input/output error";
	case TRY_AGAIN:
		return "resource temporarily unavailable";
	case NO_MEMORY:
		return "cannot allocate memory";
	case NO_ACCESS:
		return "permission denied";
	case TABLE_FULL:
		return "too many open files in system";
	case TOO_MANY_FILES:
		return "too many open files";
	case NAME_TOO_LONG:
		return "file name too long";
	}
	return "";
}

/* For what has no text here. */
static char *put_number(char *at, const char *end, int error)
{
	char digits[5] = "";
	char *first = digits + sizeof digits - 1;

	for (; error && first > digits; error /= 10)
		*--first = (char)('0' + error % 10);
	return text_put(text_put(at, end, "error "), end, first);
}

_Noreturn void give_up(enum own_loader_failure failure, const char *what, const char *path,
		       int error)
{
	char text[2 * PATH_BYTES + 1024];
	const char *end = text + sizeof text;
	char *at = text_put(text, end, "fuselage: [");

	at = text_put(text_put(at, end, code_of(failure)), end, "] ");
	at = text_put(text_put(at, end, what), end, path);
	if (error) {
		at = text_put(at, end, ": ");
		at = text_of(error)[0] ? text_put(at, end, text_of(error)) :
					 put_number(at, end, error);
	}
	at = text_put(text_put(at, end, "\n  "), end, hint_of(failure));
	at = text_put(at, end, "\n");
	kernel(CALL_WRITE, 2, (word)text, (word)(at - text), 0, 0, 0);
	for (;;)
		kernel(CALL_EXIT_GROUP, EXIT_STATUS, 0, 0, 0, 0, 0);
}
