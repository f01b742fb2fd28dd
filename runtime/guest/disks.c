#include "guest/disks.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/blkpg.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/owned.h"
#include "bundle/elf_layout.h"
#include "generated/guest.h"
#include "guest/wait.h"

#define SECTOR 512 /* bytes */
#define BLOCK_FOLDER "/sys/block"

static bool has_serial(const char *device, const char *serial)
{
	char path[sizeof BLOCK_FOLDER + DISK_NAME_MAX + 16], text[32] = "";
	size_t length = strlen(serial);

	snprintf(path, sizeof path, BLOCK_FOLDER "/%s/serial", device);
	OWNED_FD file = open(path, O_RDONLY | O_CLOEXEC);
	return file >= 0 && read(file, text, sizeof text - 1) >= (ssize_t)length &&
	       memcmp(text, serial, length) == 0 && (!text[length] || text[length] == '\n');
}

static bool is_disk(const char *name)
{
	return strncmp(name, "vd", 2) == 0 && strlen(name) < DISK_NAME_MAX - sizeof "/dev/";
}

#define DISKS_MOST 8

struct search {
	struct disk *disk;
	const char *serial;
	unsigned place;
	char names[DISKS_MOST][DISK_NAME_MAX];
	size_t count;
};

/* vdz is before vdaa. */
static bool is_before(const char *one, const char *other)
{
	size_t length = strlen(one), others = strlen(other);

	return length == others ? strcmp(one, other) < 0 : length < others;
}

static void list(struct search *search)
{
	struct dirent *entry;
	DIR *folder = opendir(BLOCK_FOLDER);

	search->count = 0;
	while (folder && search->count < DISKS_MOST && (entry = readdir(folder)))
		if (is_disk(entry->d_name))
			snprintf(search->names[search->count++], DISK_NAME_MAX, "%s",
				 entry->d_name);
	if (folder)
		closedir(folder);
}

static const char *by_serial(const struct search *search, const char *serial)
{
	for (size_t i = 0; i < search->count; i++)
		if (has_serial(search->names[i], serial))
			return search->names[i];
	return NULL;
}

static const char *by_place(const struct search *search)
{
	for (size_t i = 0; i < search->count; i++) {
		unsigned before = 0;
		for (size_t j = 0; j < search->count; j++)
			before += is_before(search->names[j], search->names[i]);
		if (before == search->place)
			return search->names[i];
	}
	return NULL;
}

/* Its serial number goes before its place. */
static bool look(void *context)
{
	struct search *search = context;

	list(search);
	const char *found = by_serial(search, search->serial);
	if (!found && !by_serial(search, GUEST_DISK_APP) && !by_serial(search, GUEST_DISK_ROOT))
		found = by_place(search);
	if (!found)
		return false;
	snprintf(search->disk->device, DISK_NAME_MAX, "/dev/%.20s", found);
	return access(search->disk->device, F_OK) == 0;
}

/* Makes a part of the disk a partition of its own: no loop device, and no table on the disk. */
static int add_partition(struct disk *disk, uint64_t offset, uint64_t size, struct failure *failure)
{
	struct blkpg_partition part = { .start = (long long)offset,
					.length = (long long)size,
					.pno = 1 };
	struct blkpg_ioctl_arg call = { BLKPG_ADD_PARTITION, 0, sizeof part, &part };

	if (ioctl(disk->bundle.file, BLKPG, &call) < 0)
		return fail_errno(failure, FUSELAGE_E_GUEST_START,
				  "%s: partition of %llu bytes at byte %llu", disk->device,
				  (unsigned long long)size, (unsigned long long)offset);
	snprintf(disk->image, sizeof disk->image, "%s1", disk->device);
	return 0;
}

/* What a start reads of its own file, of the disk. */
static int read_front(struct disk *disk, uint64_t bytes, struct failure *failure)
{
	struct bundle *bundle = &disk->bundle;
	struct elf_layout layout;

	if (elf_read_layout(bundle->file, bundle->path, FUSELAGE_MANIFEST_SECTION, &layout,
			    failure) < 0 ||
	    manifest_read(bundle->file, bundle->path, layout.section, layout.section_size,
			  &bundle->manifest, failure) < 0)
		return -1;
	bundle->image_offset = elf_image_offset(bundle->file, &layout);
	bundle->appimage = bundle->manifest.appimage;
	if (bundle->image_offset % SECTOR || bundle->image_offset >= bytes ||
	    !elf_image_at(bundle->file, bundle->image_offset))
		return fail(failure, FUSELAGE_E_IMAGE_MISSING,
			    "%s: expected an image at byte %llu of %llu", bundle->path,
			    (unsigned long long)bundle->image_offset, (unsigned long long)bytes);
	if (bundle->manifest.image_size > bytes - bundle->image_offset)
		return fail(
			failure, FUSELAGE_E_IMAGE_TRUNCATED, "%s: expected %llu bytes, found %llu",
			bundle->path,
			(unsigned long long)(bundle->image_offset + bundle->manifest.image_size),
			(unsigned long long)bytes);
	return add_partition(disk, bundle->image_offset, bytes - bundle->image_offset, failure);
}

int disk_open(struct disk *disk, const char *serial, unsigned place, bool bare,
	      struct failure *failure)
{
	struct search search = { .disk = disk, .serial = serial, .place = place };
	uint64_t bytes = 0;

	if (!wait_until(look, &search))
		return fail(failure, FUSELAGE_E_GUEST_START,
			    "the machine has no disk for %s: expected a virtio disk", serial);
	disk->bundle.argv0 = disk->device;
	snprintf(disk->bundle.path, sizeof disk->bundle.path, "%s", disk->device);
	disk->bundle.file = open(disk->device, O_RDONLY | O_CLOEXEC);
	if (disk->bundle.file < 0 || ioctl(disk->bundle.file, (int)BLKGETSIZE64, &bytes) < 0)
		return fail_errno(failure, FUSELAGE_E_GUEST_START, "%s", disk->device);
	if (!bare || !elf_image_at(disk->bundle.file, 0))
		return read_front(disk, bytes, failure);
	/* What every manifest has, and an image alone has not. */
	disk->bundle.manifest.name = GUEST_DISK_ROOT;
	if (root_config_init(&disk->bundle.manifest.root, 1) < 0)
		return fail(failure, FUSELAGE_E_OUT_OF_MEMORY, "%s", serial);
	snprintf(disk->image, sizeof disk->image, "%s", disk->device);
	return 0;
}

static bool is_there(void *context)
{
	return access(context, F_OK) == 0;
}

int disk_mount(const struct disk *disk, const char *target, unsigned long flags,
	       struct failure *failure)
{
	char image[sizeof disk->image];

	memcpy(image, disk->image, sizeof image);
	wait_until(is_there, image);
	if (mount(image, target, "squashfs", MS_RDONLY | MS_NODEV | flags, NULL) == 0)
		return 0;
	return fail_errno(failure, FUSELAGE_E_GUEST_START, "%s: the kernel cannot mount it%s",
			  image,
			  errno == ENODEV ? " (it has no squashfs)" :
			  errno == EINVAL ? " (its squashfs may lack the image's compressor)" :
					    "");
}
