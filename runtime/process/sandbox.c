#include "process/sandbox.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "libc/sort.h"

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define ARCHITECTURE AUDIT_ARCH_RISCV64
#else
#error "the system call filter knows x86_64, aarch64 and riscv64"
#endif

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define FILTERED 0
#else
#define FILTERED 1
#endif

#define CAPABILITY_MAX 63

static void drop_capabilities_but(uint32_t kept)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct left[2] = { { .effective = kept, .permitted = kept } };

	/* Needs CAP_SETPCAP itself, so it comes first; EINVAL is the end of the list. */
	for (unsigned long i = 0; i <= CAPABILITY_MAX; i++)
		if (prctl(PR_CAPBSET_DROP, i, 0, 0, 0) < 0)
			break;
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	syscall(SYS_capset, &header, left);
}

/* Same numbers on every architecture; libc headers of the build may be older than the kernel. */
#define LANDLOCK_CREATE 444
#define LANDLOCK_RESTRICT 446
#define LANDLOCK_ASK_VERSION 1u

/* A ruleset without a rule refuses all that it handles. */
static void forbid_files_and_network(void)
{
	struct {
		uint64_t files;
		uint64_t network; /* version 4: binding and connecting of TCP */
		uint64_t scope; /* version 6: abstract sockets, signals */
	} handled = { 0 };
	long version = syscall(LANDLOCK_CREATE, NULL, 0, LANDLOCK_ASK_VERSION);
	size_t size = version >= 6 ? 24 : version >= 4 ? 16 : 8;

	if (version < 1)
		return;
	/* 13 rights, then: to link elsewhere, to truncate, to control a device. */
	handled.files = (UINT64_C(1) << (version == 1 ? 13 :
					 version == 2 ? 14 :
					 version < 5  ? 15 :
							16)) -
			1;
	handled.network = version >= 4 ? 3 : 0;
	handled.scope = version >= 6 ? 3 : 0;
	long ruleset = syscall(LANDLOCK_CREATE, &handled, size, 0);
	if (ruleset < 0)
		return;
	syscall(LANDLOCK_RESTRICT, ruleset, 0);
	close((int)ruleset);
}

static void refuse_growth(size_t file_bytes)
{
	const struct rlimit none = { 0 };
	const struct rlimit file = { file_bytes, file_bytes };

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	setrlimit(RLIMIT_CORE, &none);
	setrlimit(RLIMIT_FSIZE, &file);
}

/* Returns how many descriptors there may be: fewer than asked for, where the user has fewer. */
static unsigned drop_rights(unsigned descriptors, size_t file_bytes, uint32_t capabilities)
{
	struct rlimit few = { 0 };

	refuse_growth(file_bytes);
	forbid_files_and_network();
	getrlimit(RLIMIT_NOFILE, &few);
	if (few.rlim_max > descriptors)
		few.rlim_max = descriptors;
	few.rlim_cur = few.rlim_max;
	setrlimit(RLIMIT_NOFILE, &few);
	drop_capabilities_but(capabilities);
	return (unsigned)few.rlim_max;
}

void sandbox_drop_rights(unsigned descriptors, size_t file_bytes)
{
	drop_rights(descriptors, file_bytes, 0);
}

#define THREAD_FLAGS (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD)
#define PROCESS_FLAGS                                                                \
	(CLONE_PTRACE | CLONE_VFORK | CLONE_PARENT | CLONE_NEWNS | CLONE_NEWCGROUP | \
	 CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)

/* A system call that is allowed when of its argument the bits in `mask` are `value`. */
struct allowed {
	uint32_t number;
	uint32_t argument;
	uint32_t mask; /* 0: in any case. The low half counts, the high one is 0 in what we call */
	uint32_t value;
};

static const struct allowed for_server[] = {
	/* the work: requests, the image, answers, the other threads */
	{ SYS_read, 0, 0, 0 },
	{ SYS_writev, 0, 0, 0 },
	{ SYS_pread64, 0, 0, 0 },
	{ SYS_fstat, 0, 0, 0 },
	{ SYS_fadvise64, 0, 0, 0 },
	{ SYS_futex, 0, 0, 0 },
	{ SYS_clock_gettime, 0, 0, 0 },
	/* malloc and the stacks of threads; never code */
	{ SYS_mmap, 2, PROT_EXEC, 0 },
	{ SYS_mprotect, 2, PROT_EXEC, 0 },
	{ SYS_munmap, 0, 0, 0 },
	{ SYS_mremap, 0, 0, 0 },
	{ SYS_madvise, 0, 0, 0 },
	{ SYS_brk, 0, 0, 0 },
	/* threads: these end with sandbox_no_more_threads */
	{ SYS_clone, 0, THREAD_FLAGS | PROCESS_FLAGS, THREAD_FLAGS },
	{ SYS_prlimit64, 0, UINT32_MAX, 0 },
	{ SYS_seccomp, 0, 0, 0 },
	/* signals and the end */
	{ SYS_rt_sigprocmask, 0, 0, 0 },
	{ SYS_rt_sigreturn, 0, 0, 0 },
	{ SYS_restart_syscall, 0, 0, 0 },
	{ SYS_sched_yield, 0, 0, 0 },
	{ SYS_exit, 0, 0, 0 },
	{ SYS_exit_group, 0, 0, 0 },
};

static const uint16_t for_holder[] = {
	SYS_fcntl, /* to ask for a lock */
/* who asks */
#ifdef SYS_poll
	SYS_poll,
#else
	SYS_ppoll,
#endif
	SYS_accept4,
	SYS_getsockopt,
	SYS_fstat,
	/* what it is given */
	SYS_open_tree,
	SYS_sendmsg,
	/* how long it lives */
	SYS_pidfd_open,
	SYS_clock_gettime,
	SYS_getppid,
	SYS_close,
	SYS_rt_sigreturn,
	SYS_restart_syscall,
	SYS_exit_group,
};

/* At most some sixty, so that no jump in the filter reaches TO_ALLOW. */
#define CALLS_MAX (sizeof for_server / sizeof *for_server)
#define FILTER_MAX (8 * CALLS_MAX)
/* Farther than any jump here is. */
#define TO_ALLOW 254
#define TO_KILL 255

struct filter {
	struct sock_filter code[FILTER_MAX];
	size_t length;
};

static void emit(struct filter *filter, uint16_t code, uint32_t value, uint8_t yes, uint8_t no)
{
	filter->code[filter->length++] = (struct sock_filter){ code, yes, no, value };
}

static int by_number(const void *a, const void *b)
{
	const struct allowed *left = a, *right = b;

	return (left->number > right->number) - (left->number < right->number);
}

/*
 * Halves the sorted list at each step: the kernel runs the filter once for every system call that
 * there is, to know which are always allowed, and a start waits for that. Jumps to the verdicts,
 * which stand at the end, are filled in when that is known.
 */
static void emit_tree(struct filter *filter, const struct allowed *calls, size_t count)
{
	size_t half = count / 2;
	size_t jump = filter->length;

	if (count > 1) {
		emit(filter, BPF_JMP | BPF_JGE | BPF_K, calls[half].number, 0, 0);
		emit_tree(filter, calls, half);
		filter->code[jump].jt = (uint8_t)(filter->length - jump - 1);
		emit_tree(filter, calls + half, count - half);
		return;
	}
	emit(filter, BPF_JMP | BPF_JEQ | BPF_K, calls->number, calls->mask ? 0 : TO_ALLOW, TO_KILL);
	if (!calls->mask)
		return;
	emit(filter, BPF_LD | BPF_W | BPF_ABS,
	     (uint32_t)(offsetof(struct seccomp_data, args) + calls->argument * sizeof(uint64_t)),
	     0, 0);
	emit(filter, BPF_ALU | BPF_AND | BPF_K, calls->mask, 0, 0);
	emit(filter, BPF_JMP | BPF_JEQ | BPF_K, calls->value, TO_ALLOW, TO_KILL);
}

static void aim_jumps(struct filter *filter)
{
	size_t allow = filter->length;

	for (size_t i = 0; i < allow; i++) {
		struct sock_filter *jump = &filter->code[i];
		if (jump->jt == TO_ALLOW)
			jump->jt = (uint8_t)(allow - i - 1);
		if (jump->jf == TO_KILL)
			jump->jf = (uint8_t)(allow - i);
	}
	emit(filter, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
	emit(filter, BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS, 0, 0);
}

static void install(const struct sock_filter *code, size_t length)
{
	const struct sock_fprog program = { (unsigned short)length,
					    (struct sock_filter *)(uintptr_t)code };

	/* TSYNC: the same for every thread. A kernel without filters has the other walls. */
	if (FILTERED)
		syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program);
}

static void allow_only(const struct allowed *list, size_t count)
{
	struct filter filter = { .length = 0 };
	struct allowed calls[CALLS_MAX];

	memcpy(calls, list, count * sizeof *list);
	sort(calls, count, sizeof *calls, by_number);
	emit(&filter, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch), 0, 0);
	emit(&filter, BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 0, TO_KILL);
	emit(&filter, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr), 0, 0);
	emit_tree(&filter, calls, count);
	aim_jumps(&filter);
	install(filter.code, filter.length);
}

void sandbox_filter(void)
{
	allow_only(for_server, sizeof for_server / sizeof *for_server);
}

unsigned sandbox_holder(unsigned descriptors)
{
	struct allowed calls[sizeof for_holder / sizeof *for_holder] = { { 0, 1, UINT32_MAX,
									   F_GETLK } };
	unsigned most = drop_rights(descriptors, 0, CAP_TO_MASK(CAP_SYS_ADMIN));

	for (size_t i = 0; i < sizeof for_holder / sizeof *for_holder; i++)
		calls[i].number = for_holder[i];
	allow_only(calls, sizeof calls / sizeof *calls);
	return most;
}

void sandbox_no_more_threads(void)
{
	/* The architecture was checked by the filter that stands already. */
	static const struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_prlimit64, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_seccomp, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	const struct rlimit none = { 0 };

	setrlimit(RLIMIT_NPROC, &none);
	install(filter, sizeof filter / sizeof *filter);
}
