/*
 * Extracts an image by the threads that this machine has processors for.
 *
 *   extract-threads IMAGE DIRECTORY [all]
 *
 * Prints what the report says. Built with ThreadSanitizer, any race ends the run with a report.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "squashfs/extract.h"

int main(int argc, char **argv)
{
	struct extract_options options = { .keep = argc > 3 ? ~0u : 0, .xattrs = true };
	struct extract_report report;
	char fault[SQFS_FAULT_MAX];
	struct sqfs fs;

	if (argc < 3)
		return 2;
	int fd = open(argv[1], O_RDONLY);
	int dir = open(argv[2], O_RDONLY | O_DIRECTORY);
	if (fd < 0 || dir < 0 || sqfs_open(&fs, fd, 0, 0, fault))
		return 2;
	struct sqfs_reader *reader = sqfs_reader_new(&fs, 1 << 20);
	if (extract_tree(reader, dir, &options, &report) == 0)
		printf("%llu entries, %llu bytes, %llu devices\n",
		       (unsigned long long)report.entries, (unsigned long long)report.bytes,
		       (unsigned long long)report.left_out[EXTRACT_DEVICES]);
	else if (report.error)
		printf("/%s: %s (%s)\n", report.path, sqfs_strerror(report.error),
		       sqfs_fault(reader));
	else
		printf("/%s: %s\n", report.path, strerror(report.system_error));
	sqfs_reader_free(reader);
	return 0;
}
