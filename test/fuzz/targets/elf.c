/* An ELF file: where its image and its manifest are, and that manifest. */
#include <string.h>

#include "bundle/elf_layout.h"
#include "bundle/manifest.h"
#include "free_manifest.h"
#include "target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = input_file(data, size);
	struct failure failure = { 0 };
	struct elf_layout layout;
	struct manifest manifest;

	if (elf_read_layout(fd, "f", FUSELAGE_MANIFEST_SECTION, &layout, &failure) < 0) {
		require(failure.code != FUSELAGE_OK && *failure.text);
		return 0;
	}
	require(layout.image % FUSELAGE_IMAGE_ALIGNMENT == 0 && layout.end <= layout.image &&
		layout.image - layout.end < FUSELAGE_IMAGE_ALIGNMENT);
	uint64_t offset = elf_image_offset(fd, &layout);
	require(offset == layout.end || offset == layout.image);
	if (manifest_read(fd, "f", layout.section, layout.section_size, &manifest, &failure) < 0)
		require(failure.code != FUSELAGE_OK);
	free_manifest(&manifest);
	return 0;
}
