/*
 * The stack that the dynamic linker finds, below the one that the kernel made:
 *
 *   argc | arguments 0 | environment, two variables of ours, 0 | auxiliary vector | undo | headers | name
 *
 * Texts stay where the kernel put them, so that /proc/PID/cmdline and environ, and programs that change
 * their title, see what they always see. Pointers are copied.
 */
#include "stubs/loader.h"
#include "stubs/text.h"

/* Entries of the auxiliary vector that are added: AUX_LOCALES, AUX_GCONV, AUX_UNDO. */
#define MORE_WORDS 6
#define ADDED 2

/* What a variable becomes that is hidden: a name that shells use and nobody reads. */
static const char HIDDEN[] = "_=";

bool is_for_loaders(const char *entry)
{
	return entry[0] == 'L' && entry[1] == 'D' &&
	       (text_value(entry, "LD_LIBRARY_PATH") || text_value(entry, "LD_PRELOAD") ||
		text_value(entry, "LD_AUDIT"));
}

static word stack_words(const struct start *start)
{
	word before = (word)(start->environment - start->stack);

	return before + start->variables + ADDED + 1 + start->auxiliary_words + MORE_WORDS;
}

static size_t undo_bytes(const struct start *start)
{
	return sizeof(struct undo) + start->for_loaders * sizeof(((struct undo *)NULL)->hidden[0]);
}

size_t stack_bytes(const struct start *start, const struct choice *choice)
{
	return stack_words(start) * sizeof(word) + undo_bytes(start) +
	       own_loader.header_count * sizeof(Elf64_Phdr) + text_length(choice->path) + 1;
}

/*
 * The program headers as they were, with the name of this dynamic linker in PT_INTERP. glibc and musl tell
 * by PT_PHDR how far the program was moved, so it names this table.
 */
static void put_headers(Elf64_Phdr *table, const char *name)
{
	const Elf64_Phdr *from =
		(const Elf64_Phdr *)((const char *)&own_loader + own_loader.headers);

	for (uint32_t i = 0; i < own_loader.header_count; i++) {
		table[i] = from[i];
		if (table[i].p_type == PT_PHDR) {
			table[i].p_vaddr = table[i].p_paddr = (word)table - own_bias();
		} else if (table[i].p_type == PT_INTERP) {
			table[i].p_vaddr = table[i].p_paddr = (word)name - own_bias();
			table[i].p_filesz = table[i].p_memsz = text_length(name) + 1;
		}
	}
}

/* The environment, with our own variables behind it, and without what a packed one must not see. */
static word *put_environment(word *to, const struct start *start, const struct choice *choice,
			     struct undo *undo)
{
	undo->hidden_count = 0;
	for (word i = 0; i < start->variables; i++, to++) {
		*to = start->environment[i];
		if (choice->packed && is_for_loaders((const char *)*to)) {
			undo->hidden[undo->hidden_count].slot = to;
			undo->hidden[undo->hidden_count++].value = *to;
			*to = (word)HIDDEN;
		}
	}
	undo->added = NULL;
	if (choice->added[0] || choice->added[1]) {
		undo->added = to;
		for (int i = 0; i < ADDED; i++)
			*to++ = (word)(choice->added[i] ? choice->added[i] : HIDDEN);
	}
	*to++ = 0;
	return to;
}

static word *put_entry(word *to, word type, word value)
{
	to[0] = type;
	to[1] = value;
	return to + 2;
}

const word *make_stack(void *room, const struct start *start, const struct choice *choice)
{
	word *stack = room;
	word *to = stack;
	struct undo *undo = (struct undo *)(stack + stack_words(start));
	Elf64_Phdr *headers = (Elf64_Phdr *)((char *)undo + undo_bytes(start));
	char *name = (char *)(headers + own_loader.header_count);
	word *aux_entry = NULL;

	text_put(name, name + text_length(choice->path) + 1, choice->path);
	put_headers(headers, name);
	for (const word *from = start->stack; from < start->environment; from++)
		*to++ = *from;
	to = put_environment(to, start, choice, undo);
	for (const word *from = start->auxiliary; *from != AT_NULL; from += 2, to += 2) {
		to[0] = from[0];
		to[1] = from[1];
		if (from[0] == AT_PHDR) {
			to[1] = (word)headers;
		} else if (from[0] == AT_PHNUM) {
			to[1] = own_loader.header_count;
		} else if (from[0] == AT_BASE) {
			to[1] = choice->loader.base;
		} else if (from[0] == AT_ENTRY) {
			to[1] = own_bias() + own_loader.entry;
			aux_entry = &to[1];
		}
	}
	/* Both, so that getauxval always finds them: one that finds nothing sets errno. */
	if (choice->packed && own_loader.libc == OWN_LOADER_GLIBC) {
		to = put_entry(to, AUX_LOCALES, (word)choice->locales);
		to = put_entry(to, AUX_GCONV, (word)choice->gconv);
	}
	if (aux_entry && (undo->added || undo->hidden_count)) {
		undo->mark = to;
		to = put_entry(to, AUX_UNDO, (word)undo);
		hook_in(undo, aux_entry);
	}
	put_entry(to, AT_NULL, 0);
	return stack;
}
