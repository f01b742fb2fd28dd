#include "guest/digits.h"

bool digits_read(const char **text, uint64_t most, uint64_t *value)
{
	const char *at = *text;
	uint64_t number = 0;

	for (; *at >= '0' && *at <= '9'; at++) {
		unsigned digit = (unsigned)(*at - '0');
		if (digit > most || number > (most - digit) / 10)
			return false;
		number = number * 10 + digit;
	}
	if (at == *text)
		return false;
	*text = at;
	*value = number;
	return true;
}

bool digits_are(const char *text, uint64_t most, uint64_t *value)
{
	return digits_read(&text, most, value) && !*text;
}
