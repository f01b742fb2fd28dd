#include "base/variable.h"

#include <stdlib.h>

int variable_number(const char *name, int most, int otherwise, struct failure *failure)
{
	const char *text = getenv(name);
	char *end;

	if (!text || !*text)
		return otherwise;
	unsigned long number = strtoul(text, &end, 10);
	if (*text >= '0' && *text <= '9' && !*end && number <= (unsigned long)most)
		return (int)number;
	return fail(failure, FUSELAGE_E_VARIABLE, "%s=%.80s: expected a number from 0 to %d", name,
		    text, most);
}

bool variable_is_on(const char *name)
{
	struct failure ignored = { 0 };

	return variable_number(name, 1, 0, &ignored) > 0;
}
