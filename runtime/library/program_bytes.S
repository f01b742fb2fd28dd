/* The runner as it is in dist/; the assembler is told its folder. */
	.section .rodata.fuselage_program, "a", %progbits
	.balign 16
	.globl fuselage_program
	.hidden fuselage_program
fuselage_program:
	.incbin "fuselage"
	.globl fuselage_program_end
	.hidden fuselage_program_end
fuselage_program_end:
	.section .note.GNU-stack, "", %progbits
