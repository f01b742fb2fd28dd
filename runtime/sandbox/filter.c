#include "sandbox/filter.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "generated/sandbox_filter.h"

/* Where nothing of a system call that a sanitizer makes may be refused. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TRACED 1
#else
#define TRACED 0
#endif

#define SWITCH(name) (UINT32_C(1) << SANDBOX_SWITCH_##name)

#ifndef SECCOMP_FILTER_FLAG_SPEC_ALLOW
#define SECCOMP_FILTER_FLAG_SPEC_ALLOW (1ul << 2)
#endif

bool filter_is_there(void)
{
	const uint32_t answer = SECCOMP_RET_ERRNO;

	return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &answer) == 0;
}

static enum sandbox_network network_of(const struct rules *rules)
{
	return rules_have(rules, RULE_NET_ALL) ? SANDBOX_NETWORK_ALL :
	       rules_have_ports(rules)	       ? SANDBOX_NETWORK_PORTS :
						 SANDBOX_NETWORK_NONE;
}

uint32_t filter_switches(const struct rules *rules, bool strict, bool ipcns, int landlock)
{
	uint32_t switches = (rules_have(rules, RULE_NET_UDP) ? SWITCH(UDP) : 0) |
			    (rules->listen_count ? SWITCH(LISTEN) : 0);

	/* Without Landlock they could trace any process of the user's. */
	if ((rules_have(rules, RULE_DEBUG) && landlock > 0) || TRACED)
		switches |= SWITCH(DEBUG);
	if (rules_have(rules, RULE_USERNS))
		switches |= SWITCH(USERNS);
	if (ipcns)
		switches |= SWITCH(IPC);
	if (!strict || rules_have(rules, RULE_EXEC_HOST))
		switches |= SWITCH(MEMFD);
	return switches;
}

int filter_install(const struct rules *rules, uint32_t switches, struct failure *failure)
{
	const struct sandbox_filter *filter = &sandbox_filters[network_of(rules)];
	struct sock_filter code[SANDBOX_FILTER_MOST];
	const struct sock_fprog program = { filter->length, code };

	memcpy(code, filter->code, filter->length * sizeof *code);
	for (size_t i = 0; i < filter->place_count; i++) {
		const struct sandbox_place *place = &filter->places[i];
		if (switches >> place->by & 1)
			code[place->at] =
				(struct sock_filter)BPF_STMT(BPF_RET | BPF_K, place->verdict);
	}
	/* SPEC_ALLOW: Linux before 5.16 would slow the app down as a whole against side channels. */
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW,
		    &program) == 0)
		return 0;
	return fail_errno(failure, FUSELAGE_E_SANDBOX, "filter of system calls");
}
