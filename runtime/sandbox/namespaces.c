#include "sandbox/namespaces.h"

#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/owned.h"

static bool raise_loopback(void)
{
	OWNED_FD fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };

	return fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &request) == 0;
}

void sandbox_unshare(const struct sandbox *sandbox, struct facts *facts)
{
	if (rules_have(&sandbox->rules, RULE_IPCNS))
		facts->ipcns = unshare(CLONE_NEWIPC) == 0;
	if (rules_have(&sandbox->rules, RULE_NETNS))
		facts->netns = unshare(CLONE_NEWNET) == 0 && raise_loopback();
}
