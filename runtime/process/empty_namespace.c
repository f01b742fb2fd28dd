#include "process/empty_namespace.h"

#include <sched.h>
#include <stddef.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

void empty_namespace_enter(void)
{
	/* Slave: where the rest is refused, what others unmount is unmounted here too. */
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL) < 0)
		return;
	/* /proc is the one directory that is there wherever this program runs. */
	if (mount("fuselage", "/proc", "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
		  NULL) < 0 ||
	    chdir("/proc") < 0)
		return;
	/* Onto itself, as pivot_root(2) has it: the old root is then what lies on top. */
	if (syscall(SYS_pivot_root, ".", ".") == 0)
		umount2(".", MNT_DETACH);
}
