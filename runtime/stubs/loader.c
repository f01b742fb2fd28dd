/* The start: which dynamic linker, and what it is told. */
#include "stubs/loader.h"
#include "stubs/text.h"

#include "generated/names.h"

static struct start read_stack(const word *stack)
{
	struct start start = { .stack = stack, .page = 4096, .name = "" };
	const word *at = stack + 1 + stack[0] + 1;

	start.environment = at;
	for (; *at; at++) {
		const char *entry = (const char *)*at;
		const char *value;
		start.for_loaders += is_for_loaders(entry);
		if ((value = text_value(entry, ENV_FUSELAGE_LIBC)))
			start.forced = value;
		else if ((value = text_value(entry, "LD_LIBRARY_PATH")))
			start.libraries = value;
		else if ((value = text_value(entry, "LC_ALL")))
			start.locales[0] = value;
		else if ((value = text_value(entry, "LC_CTYPE")))
			start.locales[1] = value;
		else if ((value = text_value(entry, "LANG")))
			start.locales[2] = value;
	}
	start.variables = (word)(at - start.environment);
	start.auxiliary = ++at;
	for (; *at != AT_NULL; at += 2) {
		if (at[0] == AT_EXECFN)
			start.name = (const char *)at[1];
		else if (at[0] == AT_PAGESZ)
			start.page = at[1];
		else if (at[0] == AT_SECURE)
			start.set_id = at[1] != 0;
	}
	start.auxiliary_words = (word)(at - start.auxiliary) + 2;
	return start;
}

/* `missing` stands before the name of one that is not there. */
static _Noreturn void give_up_opening(const char *missing, const char *name, int error)
{
	if (error == NO_FILE || error == NO_FOLDER)
		give_up(E_LOADER_MISSING, missing, name, 0);
	give_up(E_LOADER_REFUSED, "", name, error);
}

/* The first letter of FUSELAGE_LIBC, or 0 where nothing is said. */
static char forced_by(const struct start *start)
{
	const char *word = start->forced;

	if (!word || !*word)
		return 0;
	if (!text_same(word, "auto") && !text_same(word, "host") && !text_same(word, "packed"))
		give_up(E_VARIABLE, "expected " ENV_FUSELAGE_LIBC "=auto, host or packed, found ",
			word, 0);
	return *word;
}

/*
 * The host's dynamic linker, open, or -1 for the packed one. musl has no versions to compare: there the
 * packed one is always right.
 */
static int choose_host(const struct start *start)
{
	const char *name = own_text(own_loader.interpreter);
	char forced = forced_by(start);
	bool pack = own_loader.mode == OWN_LOADER_PACK || own_loader.libc == OWN_LOADER_MUSL;

	if (forced == 'a')
		pack = own_loader.libc == OWN_LOADER_MUSL;
	if (forced == 'p' || (pack && forced != 'h'))
		return -1;
	int fd = open_file(name);
	if (forced == 'h') {
		if (fd < 0)
			give_up_opening("the host has no ", name, -fd);
		return fd;
	}
	if (fd >= 0 && !host_libc_defines(fd, name, own_text(own_loader.versions))) {
		close_file(fd);
		fd = -1;
	}
	return fd;
}

/*
 * The host's locales load into any libc, or are refused by it without harm, and are the ones that its
 * user knows. So the packed C.UTF-8 is for hosts that have none, and for users who want no other one.
 */
static bool host_has_locales(const struct start *start)
{
	if (file_exists("/usr/lib/locale/C.utf8/LC_CTYPE") ||
	    file_exists("/usr/lib/locale/C.UTF-8/LC_CTYPE"))
		return true;
	for (int i = 0; i < 3; i++) {
		const char *name = start->locales[i];
		if (!name || !name[0])
			continue;
		return name[0] != 'C' && name[0] != 'P' /* POSIX */ &&
		       file_exists("/usr/lib/locale/locale-archive");
	}
	return false;
}

/* Where one of these is in the root's path, the dynamic linker would take it for two paths, or for a name. */
static bool divides(const char *path)
{
	for (; *path; path++)
		if (*path == ':' || *path == ';' || *path == '$' || *path == '\n')
			return true;
	return false;
}

/* Bytes that `put_libraries` needs at most. */
static size_t libraries_bytes(const struct start *start, const struct place *place)
{
	const char *list = own_text(own_loader.libraries);
	size_t folder = text_length(place->root) + sizeof "$ORIGIN/" + 3 * own_loader.root;
	size_t bytes = sizeof "LD_LIBRARY_PATH=:" + folder + text_length(list);

	for (; *list; list++)
		bytes += *list == ':' ? folder : 0;
	return bytes + (start->libraries ? text_length(start->libraries) : 0);
}

/*
 * LD_LIBRARY_PATH for the dynamic linker alone: the packed folders, then the user's. glibc replaces
 * $ORIGIN when it has divided the list.
 */
static void put_libraries(char *at, const char *end, const struct start *start,
			  const struct place *place)
{
	bool by_origin = divides(place->root);

	if (by_origin && own_loader.libc == OWN_LOADER_MUSL)
		give_up(E_LOADER_PLACE, "musl divides its search path at colons: ", place->root, 0);
	at = text_put(at, end, "LD_LIBRARY_PATH=");
	for (const char *folders = own_text(own_loader.libraries); *folders;) {
		at = text_put(at, end, by_origin ? "$ORIGIN" : place->root);
		for (uint32_t i = 0; by_origin && i < own_loader.root; i++)
			at = text_put(at, end, "/..");
		at = text_put(at, end, "/");
		while (*folders && *folders != ':' && at + 1 < end)
			*at++ = *folders++;
		if (*folders)
			*at++ = *folders++;
	}
	*at = 0;
	if (start->libraries && start->libraries[0])
		text_put(text_put(at, end, ":"), end, start->libraries);
}

/* A folder of the tree that the description names; NULL when it names none. */
static const char *put_folder(char *at, const char *end, const struct place *place, uint32_t name)
{
	if (!own_text(name)[0])
		return NULL;
	text_put(text_put(text_put(at, end, place->root), end, "/"), end, own_text(name));
	return at;
}

/* Opens the dynamic linker that is to be taken, and says which one it is. */
static int open_loader(const struct start *start, const struct place *place, struct choice *choice)
{
	const char *end = choice->path + sizeof choice->path;
	int fd = choose_host(start);

	choice->packed = fd < 0;
	if (!choice->packed) {
		text_put(choice->path, end, own_text(own_loader.interpreter));
		return fd;
	}
	if (!place->known)
		give_up(E_LOADER_PLACE, "cannot tell where the program is: ", start->name, 0);
	put_folder(choice->path, end, place, own_loader.loader);
	fd = open_file(choice->path);
	if (fd < 0)
		give_up_opening("", choice->path, -fd);
	return fd;
}

void __attribute__((used)) loader_main(const word *stack)
{
	struct start start = read_stack(stack);
	struct place place;
	struct choice choice = { .packed = false };
	char locales[PATH_BYTES], gconv[PATH_BYTES];
	char origin[sizeof "LD_ORIGIN_PATH=" + PATH_BYTES];

	/* Its dynamic linker would take no search path, and nobody vouches for the one that is packed. */
	if (start.set_id)
		give_up(E_LOADER_SET_ID, "", start.name, 0);
	find_place(&place, start.name);
	int fd = open_loader(&start, &place, &choice);
	int error = map_loader(fd, start.page, &choice.loader);
	if (error == NOT_EXECUTABLE)
		give_up(E_LOADER_MALFORMED, "", choice.path, 0);
	if (error)
		give_up(E_LOADER_REFUSED, "", choice.path, error);
	close_file(fd);

	if (choice.packed) {
		size_t bytes = libraries_bytes(&start, &place);
		char *libraries = __builtin_alloca(bytes);
		put_libraries(libraries, libraries + bytes, &start, &place);
		choice.added[0] = libraries;
		choice.gconv = put_folder(gconv, gconv + sizeof gconv, &place, own_loader.gconv);
		if (own_text(own_loader.locale)[0] && !host_has_locales(&start))
			choice.locales = put_folder(locales, locales + sizeof locales, &place,
						    own_loader.locale);
	}
	/* Without /proc, what a search path calls $ORIGIN is told by a variable. */
	if (place.known && !place.from_proc) {
		char *end = text_put(origin, origin + sizeof origin, "LD_ORIGIN_PATH=");
		text_put(end, origin + sizeof origin, place.folder[0] ? place.folder : "/");
		choice.added[1] = origin;
	}
	void *room = __builtin_alloca(stack_bytes(&start, &choice) + 16);
	room = (void *)(((word)room + 15) & ~(word)15);
	jump(make_stack(room, &start, &choice), choice.loader.entry);
}
