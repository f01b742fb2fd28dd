/*
 * Whether the host's libc is new enough: it stands beside the host's dynamic linker, and says which
 * versions its symbols have.
 */
#include "stubs/host_libc.h"

#include "stubs/text.h"

#define DYNAMIC_ENTRIES 64
#define DEFINITION_BYTES 8192 /* glibc's are below 2 KB */
/* As many as the kernel follows in one path would be 40; nobody installs a program behind so many. */
#define MAX_LINKS 8

bool follow_links(char path[static PATH_BYTES])
{
	char target[PATH_BYTES];

	for (int links = 0; links < MAX_LINKS; links++) {
		word length = read_link(path, target, sizeof target);
		if (failed(length))
			return true;
		if (length >= sizeof target)
			return false;
		target[length] = 0;
		char *end = path;
		if (target[0] != '/') {
			end = text_cut(path);
			if (!end)
				return false;
			*end++ = '/';
		}
		if (length >= (word)(path + PATH_BYTES - end))
			return false;
		text_put(end, path + PATH_BYTES, target);
	}
	return false;
}

const Elf64_Phdr *read_head(int fd, struct elf_head *head)
{
	const Elf64_Ehdr *e = &head->header;
	word size = read_at(fd, head, sizeof *head, 0);

	if (failed(size) || size < sizeof *e || e->e_ident[EI_MAG0] != ELFMAG0 ||
	    e->e_ident[EI_MAG1] != ELFMAG1 || e->e_ident[EI_MAG2] != ELFMAG2 ||
	    e->e_ident[EI_MAG3] != ELFMAG3 || e->e_ident[EI_CLASS] != ELFCLASS64 ||
	    e->e_ident[EI_DATA] != ELFDATA2LSB)
		return NULL;
	if (e->e_machine != MACHINE || e->e_type != ET_DYN || e->e_phentsize != sizeof(Elf64_Phdr))
		return NULL;
	if (e->e_phoff % sizeof(word) || e->e_phoff > size ||
	    e->e_phnum * sizeof(Elf64_Phdr) > size - e->e_phoff)
		return NULL;
	return (const Elf64_Phdr *)((const char *)head + e->e_phoff);
}

/* The hash of symbols and versions, System V ABI, chapter 5; of a name that ends at a colon too. */
static uint32_t name_hash(const char *name)
{
	uint32_t hash = 0;

	for (; *name && *name != ':'; name++) {
		hash = (hash << 4) + (unsigned char)*name;
		hash ^= hash >> 24 & 0xf0;
		hash &= 0x0fffffff;
	}
	return hash;
}

static bool defines(const char *table, word size, word count, uint32_t hash)
{
	for (word at = 0; count && at <= size - sizeof(Elf64_Verdef); count--) {
		const Elf64_Verdef *definition = (const Elf64_Verdef *)(table + at);
		if (definition->vd_hash == hash)
			return true;
		if (!definition->vd_next || definition->vd_next % sizeof(uint32_t) ||
		    definition->vd_next > size - at)
			return false;
		at += definition->vd_next;
	}
	return false;
}

/* Reads the definitions of versions. Returns their bytes, or 0. */
static word read_definitions(int fd, char *table, word *count)
{
	struct elf_head head;
	Elf64_Dyn dynamic[DYNAMIC_ENTRIES];
	const Elf64_Phdr *program = read_head(fd, &head);
	word address = 0;

	if (!program)
		return 0;
	for (int i = 0; i < head.header.e_phnum; i++) {
		if (program[i].p_type != PT_DYNAMIC)
			continue;
		word size = program[i].p_filesz < sizeof dynamic ? program[i].p_filesz :
								   sizeof dynamic;
		size = read_at(fd, dynamic, size, program[i].p_offset);
		if (failed(size))
			return 0;
		for (word j = 0; j < size / sizeof *dynamic && dynamic[j].d_tag; j++) {
			if (dynamic[j].d_tag == DT_VERDEF)
				address = dynamic[j].d_un.d_ptr;
			else if (dynamic[j].d_tag == DT_VERDEFNUM)
				*count = dynamic[j].d_un.d_val;
		}
	}
	for (int i = 0; address && i < head.header.e_phnum; i++) {
		if (program[i].p_type != PT_LOAD || address < program[i].p_vaddr ||
		    address - program[i].p_vaddr >= program[i].p_filesz)
			continue;
		word size = read_at(fd, table, DEFINITION_BYTES,
				    address - program[i].p_vaddr + program[i].p_offset);
		return failed(size) || size < sizeof(Elf64_Verdef) ? 0 : size;
	}
	return 0;
}

static bool file_defines(int fd, const char *versions)
{
	char table[DEFINITION_BYTES] __attribute__((aligned(8)));
	word count = 0;
	word size = read_definitions(fd, table, &count);

	if (!size)
		return false;
	while (*versions) {
		if (!defines(table, size, count, name_hash(versions)))
			return false;
		while (*versions && *versions != ':')
			versions++;
		if (*versions)
			versions++;
	}
	return true;
}

bool host_libc_defines(int loader, const char *name, const char *versions)
{
	char path[PATH_BYTES];
	char link[sizeof "/proc/self/fd/" + 10];
	char digits[11];
	char *number = digits + sizeof digits - 1;
	char *end = text_put(link, link + sizeof link, "/proc/self/fd/");

	*number = 0;
	for (unsigned left = (unsigned)loader; left || !*number; left /= 10)
		*--number = (char)('0' + left % 10);
	text_put(end, link + sizeof link, number);
	word length = read_link(link, path, sizeof path);
	if (!failed(length) && length < sizeof path && path[0] == '/') {
		path[length] = 0;
	} else {
		text_put(path, path + sizeof path, name);
		if (!follow_links(path))
			return false;
	}
	end = text_cut(path);
	if (!end)
		return false;
	text_put(end, path + sizeof path, "/libc.so.6");
	int fd = open_file(path);
	if (fd < 0)
		return false;
	bool enough = file_defines(fd, versions);
	close_file(fd);
	return enough;
}
