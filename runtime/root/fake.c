#include "root/fake.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/bytes.h" /* little endian: the low half of an argument comes first */

/* System calls of one architecture, as its programs number them. */
struct table {
	uint32_t architecture; /* AUDIT_ARCH_* */
	const uint16_t *answered;
	size_t count;
	int mknod, mknodat; /* answered for devices alone; -1: none */
};

#if defined __x86_64__
static const uint16_t native[] = {
	SYS_chown,    SYS_fchown,   SYS_lchown,	   SYS_fchownat,  SYS_setuid,
	SYS_setgid,   SYS_setreuid, SYS_setregid,  SYS_setresuid, SYS_setresgid,
	SYS_setfsuid, SYS_setfsgid, SYS_setgroups, SYS_capset,
};
/* chown to fchownat with ids of 16 and of 32 bits, setuid to setfsgid likewise, setgroups, capset. */
static const uint16_t i386[] = {
	182, 95,  16, 212, 207, 198, 298, 23,  46,  70,	 71,  164, 170,
	138, 139, 81, 213, 214, 203, 204, 208, 210, 215, 216, 206, 185,
};
static const struct table tables[] = {
	{ AUDIT_ARCH_X86_64, native, sizeof native / sizeof *native, SYS_mknod, SYS_mknodat },
	{ AUDIT_ARCH_I386, i386, sizeof i386 / sizeof *i386, 14, 297 },
};
#else
/* Of architectures that came later: no chown, lchown and mknod of their own. */
static const uint16_t native[] = {
	SYS_fchown,    SYS_fchownat,  SYS_setuid,   SYS_setgid,	  SYS_setreuid,	 SYS_setregid,
	SYS_setresuid, SYS_setresgid, SYS_setfsuid, SYS_setfsgid, SYS_setgroups, SYS_capset,
};
#if defined __aarch64__
#define NATIVE_ARCHITECTURE AUDIT_ARCH_AARCH64
#elif defined __riscv
#define NATIVE_ARCHITECTURE AUDIT_ARCH_RISCV64
#endif
static const struct table tables[] = {
	{ NATIVE_ARCHITECTURE, native, sizeof native / sizeof *native, -1, SYS_mknodat },
};
#endif

#define TABLES (sizeof tables / sizeof *tables)
#define INSTRUCTIONS_MAX 128

struct program {
	struct sock_filter code[INSTRUCTIONS_MAX];
	unsigned short size;
};

static void add(struct program *program, uint16_t code, uint32_t value, uint8_t yes, uint8_t no)
{
	program->code[program->size++] = (struct sock_filter){ code, yes, no, value };
}

static void load(struct program *program, size_t offset)
{
	add(program, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void give(struct program *program, uint32_t action)
{
	add(program, BPF_RET | BPF_K, action, 0, 0);
}

#define MKNOD_SIZE 6

/* A device cannot be made; a fifo can. */
static void add_mknod(struct program *program, int number, unsigned mode)
{
	if (number < 0)
		return;
	add(program, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, MKNOD_SIZE);
	load(program, offsetof(struct seccomp_data, args) + mode * sizeof(uint64_t));
	add(program, BPF_ALU | BPF_AND | BPF_K, S_IFMT, 0, 0);
	add(program, BPF_JMP | BPF_JEQ | BPF_K, S_IFCHR, 1, 0);
	add(program, BPF_JMP | BPF_JEQ | BPF_K, S_IFBLK, 0, 1);
	give(program, SECCOMP_RET_ERRNO);
	give(program, SECCOMP_RET_ALLOW);
}

static void add_table(struct program *program, const struct table *table)
{
	struct program own = { .size = 0 };

	load(&own, offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < table->count; i++)
		add(&own, BPF_JMP | BPF_JEQ | BPF_K, table->answered[i],
		    (uint8_t)(table->count - i), 0);
	add(&own, BPF_JMP | BPF_JA, 1, 0, 0);
	give(&own, SECCOMP_RET_ERRNO);
	add_mknod(&own, table->mknod, 1);
	add_mknod(&own, table->mknodat, 2);
	give(&own, SECCOMP_RET_ALLOW);
	/* Behind it stands what is for the next architecture. */
	add(program, BPF_JMP | BPF_JEQ | BPF_K, table->architecture, 0, (uint8_t)own.size);
	for (size_t i = 0; i < own.size; i++)
		program->code[program->size++] = own.code[i];
}

int fake_root(void)
{
	struct program program = { .size = 0 };

	load(&program, offsetof(struct seccomp_data, arch));
	for (size_t i = 0; i < TABLES; i++)
		add_table(&program, &tables[i]);
	give(&program, SECCOMP_RET_ALLOW);
	const struct sock_fprog filter = { program.size, program.code };
	/* SPEC_ALLOW: mitigations that a filter would bring along are the app's to ask for. */
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW,
		    &filter) == 0)
		return 0;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter);
}
