/*
 * The loader stub: how a program of a bundle is started by the dynamic linker that the bundle brings.
 *
 * The builder takes the program's PT_INTERP away and puts this code into a segment of its own, so the
 * kernel starts the program itself: /proc/self/exe, argv[0] and the name of the process are right. The
 * stub chooses a dynamic linker (the packed one, found from the program's own place, or the host's),
 * maps it as the kernel would have, makes the stack that the kernel would have made had PT_INTERP named
 * it, and jumps. The dynamic linker cannot tell the difference.
 *
 * Nothing here is writable memory and nothing is relocated: what must be written lies on the stack.
 */
#ifndef STUBS_LOADER_H
#define STUBS_LOADER_H

#include "generated/own_loader.h"
#include "stubs/host_libc.h"
#include "stubs/system.h"

extern const struct own_loader own_loader __attribute__((visibility("hidden")));

/*
 * Entries of our own in the auxiliary vector, which no child inherits. Whoever reads the vector passes
 * over types that it does not know.
 */
enum {
	AUX_LOCALES =
		0x46534c01, /* folder of the packed locales, or 0: variables_stub.c reads it */
	AUX_GCONV = 0x46534c02, /* the same of gconv modules */
	AUX_UNDO = 0x46534c03, /* struct undo */
};

/* A text of the description. */
static inline const char *own_text(uint32_t place)
{
	return (const char *)&own_loader + place;
}

/* What is added to the addresses that the program was linked for. */
static inline word own_bias(void)
{
	return (word)&own_loader - own_loader.address;
}

/* The initial stack of a process, taken apart. */
struct start {
	const word *stack;
	const word *environment;
	word variables;
	const word *auxiliary;
	word auxiliary_words; /* AT_NULL included */
	word page; /* bytes */
	bool set_id;
	const char *name; /* as it was given to execve */
	const char *forced; /* FUSELAGE_LIBC, or NULL */
	const char *libraries; /* LD_LIBRARY_PATH, or NULL */
	const char *locales[3]; /* LC_ALL, LC_CTYPE, LANG, or NULL */
	word for_loaders; /* variables that a packed dynamic linker must not see */
};

/* Whether a variable is for dynamic linkers, and names files of the host's libc. */
bool is_for_loaders(const char *entry);

/* Where the program is. Neither has a slash at its end: the root of all files is "". */
struct place {
	char folder[PATH_BYTES];
	char root[PATH_BYTES]; /* of the packed tree */
	bool known; /* else the others mean nothing */
	bool from_proc; /* by /proc/self/exe */
};

/* `name` is what was given to execve. */
void find_place(struct place *place, const char *name);

/* A dynamic linker in memory. */
struct mapped {
	word base;
	word entry;
};

/*
 * Maps a dynamic linker as the kernel does. Returns 0 or the number of an error: NOT_EXECUTABLE when it is
 * damaged or for another machine, else the kernel's.
 */
int map_loader(int fd, word page, struct mapped *mapped);

/* What a start with this dynamic linker needs. */
struct choice {
	bool packed;
	char path[PATH_BYTES];
	struct mapped loader;
	/* Variables that only the dynamic linker sees, or NULL. */
	const char *added[2];
	/* Folders for AUX_LOCALES and AUX_GCONV, or NULL. */
	const char *locales;
	const char *gconv;
};

/* Bytes that `make_stack` needs. */
size_t stack_bytes(const struct start *start, const struct choice *choice);

/* Makes the stack that the dynamic linker finds. Returns its lowest word; `room` is aligned to 16. */
const word *make_stack(void *room, const struct start *start, const struct choice *choice);

/* What is put back before any code of the program or its libraries runs. */
struct undo {
	word *mark; /* the auxiliary entry that names this */
	word *added; /* two variables at the end of the environment, or NULL */
	word *entry; /* the value of AT_ENTRY, where it is our hook, or NULL */
	const word *preinit; /* the program's own functions */
	word preinit_count;
	word hook[1]; /* what DT_PREINIT_ARRAY names */
	word hidden_count;
	struct {
		word *slot;
		word value;
	} hidden[];
};

/*
 * Makes the dynamic linker call us before every constructor: by the program's dynamic section, else in
 * the place of the program's entry.
 */
void hook_in(struct undo *undo, word *aux_entry);

/* `error` is the kernel's number for it, or 0: then there is nothing to add. */
_Noreturn void give_up(enum own_loader_failure failure, const char *what, const char *path,
		       int error);

_Static_assert(offsetof(struct own_loader, start) == 16, "what loader_entry.S fills in");
_Static_assert(offsetof(struct own_loader, address) == 32, "what it leaves to the builder");

/* The ways into the stub: loader_entry.S. */
extern const char stub_at_entry[] __attribute__((visibility("hidden")));
extern const char stub_at_preinit[] __attribute__((visibility("hidden")));
_Noreturn void loader_main(const word *stack);
word loader_undo(word *stack);
void loader_preinit(word *stack);

#endif
