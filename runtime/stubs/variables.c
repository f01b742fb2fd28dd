/*
 * The getenv of a packed libc.so.6: LOCPATH and GCONV_PATH name folders beside that libc without
 * standing in the environment, where every child would inherit them and the host's libc would follow
 * them.
 *
 * The loader stub hands the folders over in entries of the auxiliary vector. All other names are looked
 * up as ever. The builder puts a jump to this in front of the function that libc has, which its own calls
 * go to as well.
 */
#include "generated/own_loader.h"
#include "stubs/loader.h"
#include "stubs/text.h"

char *private_getenv(const char *name);

extern const struct libc_variables libc_variables __attribute__((visibility("hidden")));

static word private_entry(const char *name)
{
	if (text_same(name, "LOCPATH"))
		return AUX_LOCALES;
	return text_same(name, "GCONV_PATH") ? AUX_GCONV : 0;
}

char *private_getenv(const char *name)
{
	const char *here = (const char *)&libc_variables;
	word (*auxiliary_value)(word) = (word(*)(word))(here + libc_variables.getauxval);
	word type = private_entry(name);

	if (type) {
		char *folder = (char *)auxiliary_value(type);
		if (folder)
			return folder;
	}
	/* The program may have the variable itself, by a copy relocation. */
	char ***variable = *(char ****)(here + libc_variables.environ);
	char **environment = *variable;
	if (!environment || !*name)
		return NULL;
	for (const char *entry; (entry = *environment); environment++) {
		const char *value = text_value(entry, name);
		if (value)
			return (char *)value;
	}
	return NULL;
}
