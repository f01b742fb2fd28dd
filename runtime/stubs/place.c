/*
 * Where the program is, and the tree that it was packed in.
 *
 * The kernel's own name of the program is canonical, so that components can be taken off as text. Not
 * the name that was given to execve: of a script that is the script's, not its interpreter's. It is all
 * there is where /proc is not mounted or cannot see the file.
 */
#include "stubs/loader.h"
#include "stubs/text.h"

static bool from_name(struct place *place, const char *name)
{
	const char *limit = place->folder + PATH_BYTES;
	char *end = place->folder;

	if (name[0] != '/') {
		word size = working_folder(place->folder, PATH_BYTES);
		if (failed(size) || place->folder[0] != '/')
			return false;
		end = text_put(place->folder + text_length(place->folder), limit, "/");
	}
	text_put(end, limit, name);
	if (!follow_links(place->folder) || !text_cut(place->folder))
		return false;
	end = text_put(place->root, place->root + PATH_BYTES, place->folder);
	for (uint32_t i = 0; i < own_loader.root; i++)
		end = text_put(end, place->root + PATH_BYTES, "/..");
	return true;
}

static bool from_kernel(struct place *place)
{
	if (!text_cut(place->folder))
		return false;
	text_put(place->root, place->root + PATH_BYTES, place->folder);
	for (uint32_t i = 0; i < own_loader.root; i++)
		if (!text_cut(place->root))
			return false;
	return true;
}

void find_place(struct place *place, const char *name)
{
	word length = read_link("/proc/self/exe", place->folder, PATH_BYTES);

	place->from_proc = !failed(length) && length < PATH_BYTES && place->folder[0] == '/';
	if (place->from_proc)
		place->folder[length] = 0;
	place->known = place->from_proc ? from_kernel(place) : from_name(place, name);
}
