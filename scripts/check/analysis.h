/*
 * What the analyzers of `npm run check` cannot know, because they read one file at a time: what
 * functions of other files return. Included before each file, and by nothing else.
 *
 * Where a file is analysed, ANALYSING_<folder> and ANALYSING_<name of the file> are defined: it is
 * not to be told of its own functions, and the readers' insides are for their folders only.
 */
#include "base/fail.h"
#include "squashfs/squashfs.h"

_Noreturn void analysis_ends(void);

/* -1, or an error of the squashfs reader. No functions: the analyzers enter only so many. */
#define analysis_failed(call)              \
	({                                 \
		int analysis_value = call; \
		if (analysis_value >= 0)   \
			analysis_ends();   \
		analysis_value;            \
	})

/* 0, or one of those. */
#define analysis_error(call)               \
	({                                 \
		int analysis_value = call; \
		if (analysis_value > 0)    \
			analysis_ends();   \
		analysis_value;            \
	})

#ifndef ANALYSING_fail
#define fail(...) analysis_failed(fail(__VA_ARGS__))
#define fail_errno(...) analysis_failed(fail_errno(__VA_ARGS__))
#endif

#ifndef ANALYSING_inode
#define sqfs_inode_read(...) analysis_error(sqfs_inode_read(__VA_ARGS__))
#endif

#ifdef ANALYSING_squashfs
#include "squashfs/reader.h"
#ifndef ANALYSING_error
#define sqfs_fail(...) analysis_failed(sqfs_fail(__VA_ARGS__))
#endif
#ifndef ANALYSING_metadata
#define image_read(...) analysis_error(image_read(__VA_ARGS__))
#define meta_load(...) analysis_error(meta_load(__VA_ARGS__))
#define meta_read(...) analysis_error(meta_read(__VA_ARGS__))
#define table_read(...) analysis_error(table_read(__VA_ARGS__))
#endif
#ifndef ANALYSING_block
#define block_load(...) analysis_error(block_load(__VA_ARGS__))
#define tail_load(...) analysis_error(tail_load(__VA_ARGS__))
#endif
#endif

#if defined(ANALYSING_zip) && !defined(ANALYSING_zip_zip)
#include "zip/zip_reader.h"
#define zip_fail(...) analysis_failed(zip_fail(__VA_ARGS__))
#define zip_fail_at(...) analysis_failed(zip_fail_at(__VA_ARGS__))
#define zip_pread(...) analysis_error(zip_pread(__VA_ARGS__))
#endif

#ifdef ANALYSING_stubs
#include "stubs/system.h"

/* The kernel writes there; the analyzers see an instruction. */
void analysis_written(void *buffer);

#define read_at(fd, buffer, ...) (analysis_written(buffer), read_at(fd, buffer, __VA_ARGS__))
#define read_link(path, buffer, ...) \
	(analysis_written(buffer), read_link(path, buffer, __VA_ARGS__))
#define working_folder(buffer, ...) (analysis_written(buffer), working_folder(buffer, __VA_ARGS__))
#endif
