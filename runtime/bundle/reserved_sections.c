/*
 * Sections that a finished file fills in: ours for the manifest, the others as AppImage tools look
 * for them. Not allocated: they take no memory and no segment, and every reader finds them by name.
 */
__asm__(".pushsection .fuselage,\"\",%progbits\n.zero 24\n.popsection\n"
	".pushsection .upd_info,\"\",%progbits\n.zero 1024\n.popsection\n"
	".pushsection .sha256_sig,\"\",%progbits\n.zero 1024\n.popsection\n"
	".pushsection .sig_key,\"\",%progbits\n.zero 8192\n.popsection\n"
	".pushsection .digest_md5,\"\",%progbits\n.zero 16\n.popsection\n");
