/*
 * The rule that every reader of such files follows: the image stands at the next 4096-byte
 * boundary behind the section header table, the program header table and the last PT_LOAD
 * segment, whichever ends last.
 */
#include "bundle/elf_layout.h"

#include <elf.h>
#include <inttypes.h>

#include "base/bytes.h"
#include "base/owned.h"
#include "generated/squashfs.h"

#define TABLE_MAX 65536 /* bytes of a header table that is read at once */
#define NAMES_MAX 65536

/* The fields that both classes have, widened. */
struct header {
	bool wide; /* 64-bit */
	uint64_t phoff, shoff;
	uint32_t phentsize, phnum, shentsize, shnum, shstrndx;
};

struct section {
	uint32_t name;
	uint32_t type;
	uint64_t offset, size;
};

static int fail_short(const char *file, const char *what, size_t size, uint64_t position,
		      ssize_t found, struct failure *failure)
{
	if (found < 0)
		return fail_errno(failure, FUSELAGE_E_ELF_MALFORMED, "%s: %s cannot be read", file,
				  what);
	return fail(failure, FUSELAGE_E_ELF_MALFORMED,
		    "%s: %s at byte %" PRIu64 ": expected %zu bytes, found %zd", file, what,
		    position, size, found);
}

static int read_exact(int fd, const char *file, void *buffer, size_t size, uint64_t position,
		      const char *what, struct failure *failure)
{
	ssize_t n = pread_full(fd, buffer, size, position);

	return n == (ssize_t)size ? 0 : fail_short(file, what, size, position, n, failure);
}

static int read_header(int fd, const char *name, struct header *header, struct failure *failure)
{
	union {
		Elf64_Ehdr wide;
		Elf32_Ehdr narrow;
	} raw = { 0 };
	const unsigned char *ident = raw.wide.e_ident;

	ssize_t size = pread_full(fd, &raw, sizeof raw, 0);

	if (size < (ssize_t)sizeof raw.narrow)
		return fail_short(name, "ELF header", sizeof raw.narrow, 0, size, failure);
	if (memcmp(ident, ELFMAG, SELFMAG) != 0)
		return fail(failure, FUSELAGE_E_ELF_MALFORMED, "%s: not an ELF file", name);
	if (ident[EI_DATA] != ELFDATA2LSB ||
	    (ident[EI_CLASS] != ELFCLASS64 && ident[EI_CLASS] != ELFCLASS32))
		return fail(failure, FUSELAGE_E_ELF_MALFORMED,
			    "%s: ELF class %u, data encoding %u: expected a little-endian file",
			    name, ident[EI_CLASS], ident[EI_DATA]);
	header->wide = ident[EI_CLASS] == ELFCLASS64;
	if (!header->wide) {
		const Elf32_Ehdr *e = &raw.narrow;
		*header = (struct header){ false,      e->e_phoff,     e->e_shoff, e->e_phentsize,
					   e->e_phnum, e->e_shentsize, e->e_shnum, e->e_shstrndx };
		return 0;
	}
	if (size < (ssize_t)sizeof raw.wide)
		return fail_short(name, "ELF header", sizeof raw.wide, 0, size, failure);
	const Elf64_Ehdr *e = &raw.wide;
	*header = (struct header){ true,       e->e_phoff,     e->e_shoff, e->e_phentsize,
				   e->e_phnum, e->e_shentsize, e->e_shnum, e->e_shstrndx };
	return 0;
}

/* End of a table; fails when it does not fit 63 bits or what is read at once. */
static int table_end(const char *name, const char *table, uint64_t start, uint32_t entry_size,
		     uint32_t count, uint32_t least, uint64_t *end, struct failure *failure)
{
	uint64_t bytes = (uint64_t)entry_size * count;

	if (count && (entry_size < least || bytes > TABLE_MAX || start > INT64_MAX - TABLE_MAX))
		return fail(failure, FUSELAGE_E_ELF_MALFORMED,
			    "%s: %s header table: %" PRIu32 " entries of %" PRIu32
			    " bytes at byte %" PRIu64,
			    name, table, count, entry_size, start);
	*end = count ? start + bytes : 0;
	return 0;
}

static int read_segments(int fd, const char *name, const struct header *header, uint64_t *end,
			 struct failure *failure)
{
	uint64_t table;

	if (table_end(name, "program", header->phoff, header->phentsize, header->phnum,
		      header->wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr), &table, failure) < 0)
		return -1;
	if (table > *end)
		*end = table;
	size_t bytes = (size_t)header->phentsize * header->phnum;
	OWNED uint8_t *raw = malloc(bytes);
	if (!raw)
		return fail(failure, FUSELAGE_E_OUT_OF_MEMORY, "%s: ELF headers", name);
	if (read_exact(fd, name, raw, bytes, header->phoff, "program header table", failure) < 0)
		return -1;
	for (uint32_t i = 0; i < header->phnum; i++) {
		const uint8_t *at = raw + (size_t)i * header->phentsize;
		if (le32(at) != PT_LOAD)
			continue;
		uint64_t offset = header->wide ? le64(at + 8) : le32(at + 4);
		uint64_t size = header->wide ? le64(at + 32) : le32(at + 16);
		if (offset > INT64_MAX || size > INT64_MAX - offset)
			return fail(failure, FUSELAGE_E_ELF_MALFORMED,
				    "%s: segment %" PRIu32 ": %" PRIu64 " bytes at byte %" PRIu64,
				    name, i, size, offset);
		if (offset + size > *end)
			*end = offset + size;
	}
	return 0;
}

static struct section decode_section(const struct header *header, const uint8_t *at)
{
	if (header->wide)
		return (struct section){ le32(at), le32(at + 4), le64(at + 24), le64(at + 32) };
	return (struct section){ le32(at), le32(at + 4), le32(at + 16), le32(at + 20) };
}

static int find_section(int fd, const char *file, const struct header *header, const uint8_t *raw,
			const char *wanted, struct elf_layout *layout, struct failure *failure)
{
	size_t length = strlen(wanted) + 1;
	struct section strings;

	if (header->shstrndx >= header->shnum)
		return 0; /* a file whose sections have no names */
	strings = decode_section(header, raw + (size_t)header->shstrndx * header->shentsize);
	if (strings.size > NAMES_MAX)
		return 0; /* not made by us */
	OWNED char *names = malloc((size_t)strings.size);
	if (!names)
		return fail(failure, FUSELAGE_E_OUT_OF_MEMORY, "%s: section names", file);
	if (read_exact(fd, file, names, (size_t)strings.size, strings.offset, "section names",
		       failure) < 0)
		return -1;
	for (uint32_t i = 0; i < header->shnum; i++) {
		struct section section =
			decode_section(header, raw + (size_t)i * header->shentsize);
		if (section.type == SHT_NOBITS || section.name >= strings.size ||
		    strings.size - section.name < length ||
		    memcmp(names + section.name, wanted, length) != 0)
			continue;
		layout->section = section.offset;
		layout->section_size = section.size;
		return 0;
	}
	return 0;
}

int elf_read_layout(int fd, const char *name, const char *section, struct elf_layout *layout,
		    struct failure *failure)
{
	struct header header;
	uint64_t end;

	*layout = (struct elf_layout){ 0 };
	if (read_header(fd, name, &header, failure) < 0 ||
	    table_end(name, "section", header.shoff, header.shentsize, header.shnum,
		      header.wide ? sizeof(Elf64_Shdr) : sizeof(Elf32_Shdr), &end, failure) < 0 ||
	    read_segments(fd, name, &header, &end, failure) < 0)
		return -1;
	layout->end = end;
	layout->image = (end + FUSELAGE_IMAGE_ALIGNMENT - 1) &
			~(uint64_t)(FUSELAGE_IMAGE_ALIGNMENT - 1);
	if (header.shnum == 0)
		return 0;
	size_t size = (size_t)header.shentsize * header.shnum;
	OWNED uint8_t *raw = malloc(size);
	if (!raw)
		return fail(failure, FUSELAGE_E_OUT_OF_MEMORY, "%s: ELF headers", name);
	if (read_exact(fd, name, raw, size, header.shoff, "section header table", failure) < 0)
		return -1;
	return find_section(fd, name, &header, raw, section, layout, failure);
}

bool elf_image_at(int fd, uint64_t position)
{
	uint8_t magic[4];
	ssize_t n = pread_full(fd, magic, sizeof magic, position);

	return n == sizeof magic && le32(magic) == SQFS_MAGIC;
}

uint64_t elf_image_offset(int fd, const struct elf_layout *layout)
{
	return elf_image_at(fd, layout->end) ? layout->end : layout->image;
}
