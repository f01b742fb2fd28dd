/*
 * Maps a dynamic linker as the kernel does: one span at an address of the kernel's choice, its segments
 * over it, zeros where the file has no bytes.
 */
#include "stubs/loader.h"

/* The addresses of its segments, in whole pages, relative to what the first one is linked for. */
struct span {
	word low;
	word high;
};

/* Whether the segments are what the kernel would map: ascending, none behind the file's end. */
static bool find_span(int fd, const struct elf_head *head, const Elf64_Phdr *program, word page,
		      struct span *span)
{
	bool any = false;
	char last;

	span->low = span->high = 0;
	for (int i = 0; i < head->header.e_phnum; i++) {
		const Elf64_Phdr *p = &program[i];
		if (p->p_type != PT_LOAD)
			continue;
		if (p->p_filesz > p->p_memsz || p->p_vaddr + p->p_memsz < p->p_vaddr ||
		    p->p_vaddr % page != p->p_offset % page || (any && p->p_vaddr < span->high))
			return false;
		if (p->p_filesz && read_at(fd, &last, 1, p->p_offset + p->p_filesz - 1) != 1)
			return false;
		if (!any && !p->p_filesz)
			return false;
		if (!any)
			span->low = p->p_vaddr & -page;
		span->high = p->p_vaddr + p->p_memsz;
		any = true;
	}
	return any && span->high > span->low;
}

static word protection(uint32_t flags)
{
	return (flags & PF_R ? PROT_READ_ : 0) | (flags & PF_W ? PROT_WRITE_ : 0) |
	       (flags & PF_X ? PROT_EXEC_ : 0);
}

static int error_of(word result)
{
	return failed(result) ? (int)-result : 0;
}

/* Zeros behind what the file has of a segment, if it has any: the rest of a page, and pages. */
static int map_zeros(word base, const Elf64_Phdr *p, word page)
{
	word file_end = base + p->p_vaddr + p->p_filesz;
	word end = base + p->p_vaddr + p->p_memsz;
	word whole = (p->p_filesz ? file_end + page - 1 : file_end) & -page;

	if (end == file_end || !(p->p_flags & PF_W))
		return 0;
	for (char *byte = (char *)file_end; byte < (char *)whole; byte++)
		*byte = 0;
	if (end <= whole)
		return 0;
	word flags = MAP_PRIVATE_ | MAP_FIXED_ | MAP_ANONYMOUS_;
	return error_of(map(whole, end - whole, protection(p->p_flags), flags, -1, 0));
}

int map_loader(int fd, word page, struct mapped *mapped)
{
	struct elf_head head;
	struct span span;
	const Elf64_Phdr *program = read_head(fd, &head);
	bool first = true;
	word base = 0;

	if (!program || !find_span(fd, &head, program, page, &span))
		return NOT_EXECUTABLE;
	for (int i = 0; i < head.header.e_phnum; i++) {
		const Elf64_Phdr *p = &program[i];
		if (p->p_type != PT_LOAD)
			continue;
		word start = p->p_vaddr & -page;
		word skip = p->p_vaddr - start;
		/* The first one takes the whole span, and the others go over it. */
		word address = first ? 0 : base + start;
		word size = p->p_filesz ? p->p_filesz + skip : 0;
		word flags = first ? MAP_PRIVATE_ : MAP_PRIVATE_ | MAP_FIXED_;
		if (first)
			size = span.high - span.low;
		if (size) {
			word at = map(address, size, protection(p->p_flags), flags, fd,
				      p->p_offset - skip);
			if (failed(at))
				return error_of(at);
			if (first)
				base = at - span.low;
			first = false;
		}
		int error = map_zeros(base, p, page);
		if (error)
			return error;
	}
	mapped->base = base;
	mapped->entry = base + head.header.e_entry;
	return 0;
}
