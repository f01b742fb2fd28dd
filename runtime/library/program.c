#include "library/program.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/owned.h"

/* program_bytes.S */
extern const char fuselage_program[], fuselage_program_end[];

#define EXECUTABLE 0x10U /* MFD_EXEC, Linux 6.3: said, lest vm.memfd_noexec=1 says otherwise */
#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static int create(unsigned more)
{
	return (int)syscall(SYS_memfd_create, "fuselage", MFD_CLOEXEC | MFD_ALLOW_SEALING | more);
}

int program_in_memory(void)
{
	OWNED_FD memory = create(EXECUTABLE);

	if (memory < 0 && errno == EINVAL)
		memory = create(0);
	if (memory < 0)
		return -1;
	for (const char *at = fuselage_program; at < fuselage_program_end;) {
		ssize_t n = write(memory, at, (size_t)(fuselage_program_end - at));
		if (n < 0 && errno != EINTR)
			return -1;
		at += n > 0 ? n : 0;
	}
	if (fcntl(memory, F_ADD_SEALS, SEALS) < 0)
		return -1;
	return steal_fd(&memory);
}
