/*
 * What the dynamic linker was told, and the program is not to know: put back before any code of the
 * program or of its libraries runs, so that no constructor sees it and no child inherits it.
 *
 * A dynamic linker of glibc calls the functions of DT_PREINIT_ARRAY before every constructor. Two free
 * entries at the end of the program's dynamic section name our own; the builder sees to it that they are
 * there. The dynamic linker writes to that section itself, so it is writable, and its page is this
 * process's own already. musl has no such functions, but runs no constructor before the program's
 * entry either: there the hook stands in its place.
 */
#include "stubs/loader.h"

/* Two entries of the section for the functions, which the program may have already. */
static bool find_entries(Elf64_Dyn **array, Elf64_Dyn **size)
{
	Elf64_Dyn *dynamic = (Elf64_Dyn *)(own_bias() + own_loader.dynamic);
	uint32_t used = 0;

	for (; used < own_loader.dynamic_count && dynamic[used].d_tag != DT_NULL; used++) {
		if (dynamic[used].d_tag == DT_PREINIT_ARRAY)
			*array = &dynamic[used];
		else if (dynamic[used].d_tag == DT_PREINIT_ARRAYSZ)
			*size = &dynamic[used];
	}
	if (*array && *size)
		return true;
	if (*array || *size || used + 3 > own_loader.dynamic_count)
		return false;
	*array = &dynamic[used];
	*size = &dynamic[used + 1];
	return true;
}

void hook_in(struct undo *undo, word *aux_entry)
{
	Elf64_Dyn *array = NULL;
	Elf64_Dyn *size = NULL;

	undo->preinit_count = 0;
	undo->entry = NULL;
	if (own_loader.libc != OWN_LOADER_GLIBC || !find_entries(&array, &size)) {
		undo->entry = aux_entry;
		*aux_entry = (word)stub_at_entry;
		return;
	}
	if (array->d_tag == DT_PREINIT_ARRAY) {
		undo->preinit = (const word *)(own_bias() + array->d_un.d_ptr);
		undo->preinit_count = size->d_un.d_val / sizeof(word);
	}
	undo->hook[0] = (word)stub_at_preinit;
	array->d_tag = DT_PREINIT_ARRAY;
	array->d_un.d_ptr = (word)undo->hook - own_bias();
	size->d_tag = DT_PREINIT_ARRAYSZ;
	size->d_un.d_val = sizeof undo->hook;
}

/* The auxiliary vector behind argc, the arguments and the environment. */
static word *auxiliary(word *stack)
{
	word *at = stack + 1 + stack[0] + 1;

	while (*at)
		at++;
	return at + 1;
}

static struct undo *put_back(word *stack)
{
	word *at = auxiliary(stack);

	while (at[0] != AUX_UNDO) {
		if (at[0] == AT_NULL)
			return NULL;
		at += 2;
	}
	struct undo *undo = (struct undo *)at[1];
	/* Passed over from now on, and never done twice. */
	undo->mark[0] = AT_IGNORE;
	undo->mark[1] = 0;
	/*
	 * The two variables become the end of the environment and an entry of the vector to ignore, whose
	 * value is the old end: whoever looks for the vector behind the environment still finds it.
	 */
	if (undo->added) {
		undo->added[0] = 0;
		undo->added[1] = AT_IGNORE;
	}
	if (undo->entry)
		*undo->entry = own_bias() + own_loader.entry;
	for (word i = 0; i < undo->hidden_count; i++)
		*undo->hidden[i].slot = undo->hidden[i].value;
	return undo;
}

/* In the place of the program's entry. Returns where that is. */
word __attribute__((used)) loader_undo(word *stack)
{
	put_back(stack);
	return own_bias() + own_loader.entry;
}

/* As a function of DT_PREINIT_ARRAY; calls those that the program has itself. */
void __attribute__((used)) loader_preinit(word *stack)
{
	const struct undo *undo = put_back(stack);
	char **arguments = (char **)(stack + 1);

	if (!undo)
		return;
	for (word i = 0; i < undo->preinit_count; i++) {
		void (*function)(int, char **, char **) =
			(void (*)(int, char **, char **))undo->preinit[i];
		function((int)stack[0], arguments, arguments + stack[0] + 1);
	}
}
