/* Prints those of its arguments behind the first that fnmatch(3) finds to match it. */
#define _GNU_SOURCE
#include <fnmatch.h>
#include <locale.h>
#include <stdio.h>

int main(int argc, char **argv)
{
	setlocale(LC_CTYPE, "C.UTF-8");
	for (int i = 2; i < argc; i++)
		if (fnmatch(argv[1], argv[i], FNM_PATHNAME | FNM_LEADING_DIR) == 0)
			puts(argv[i]);
	return 0;
}
