/*
 * Says hello. "hello read FILE" says the first line of a file, "hello write FILE" leaves one there and
 * says what it reads back.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
	char line[64] = "hello\n";

	if (argc == 3) {
		bool writes = strcmp(argv[1], "write") == 0;
		FILE *file = fopen(argv[2], writes ? "w+" : "r");

		if (!file || (writes && fputs("written\n", file) < 0)) {
			perror(argv[2]);
			return 1;
		}
		rewind(file);
		if (!fgets(line, sizeof line, file))
			return 1;
		fclose(file);
	}
	fputs(line, stdout);
	return 0;
}
