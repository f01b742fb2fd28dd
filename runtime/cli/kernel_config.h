/* What the running kernel was built with. */
#ifndef KERNEL_CONFIG_H
#define KERNEL_CONFIG_H

/*
 * Whether its squashfs has the decompressor (enum sqfs_compressor): 1, 0, or -1 when neither
 * /proc/config.gz nor /boot/config-RELEASE is there to tell. `option` becomes its name in the
 * kernel's configuration (>= 24 bytes).
 */
int kernel_has_codec(unsigned compressor, char *option);

#endif
