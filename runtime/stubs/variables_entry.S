/* The first bytes of what a packed libc.so.6 is given; variables.c has the code. */
#include "generated/own_loader.h"

	.section .head, "a", %progbits
	.balign 16
	.globl libc_variables
	.hidden libc_variables
libc_variables:
	.ascii LIBC_VARIABLES_MAGIC
	.long stub_end - libc_variables
	.long private_getenv - libc_variables
	.zero LIBC_VARIABLES_BYTES - 16

	.section .note.GNU-stack, "", %progbits
