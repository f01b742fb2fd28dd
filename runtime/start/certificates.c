#include "start/certificates.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Where distributions have them: Debian, Arch, NixOS; Fedora; openSUSE; RHEL; Alpine. */
static const char *const files[] = {
	"/etc/ssl/certs/ca-certificates.crt",
	"/etc/pki/tls/certs/ca-bundle.crt",
	"/etc/ssl/ca-bundle.pem",
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
	"/etc/ssl/cert.pem",
};

/* What an OpenSSL looks for in its folder. */
static const char *const own[] = { "cert.pem", "certs" };

int certificates_find(const char *openssl)
{
	char path[PATH_MAX];

	if (getenv("SSL_CERT_FILE") || getenv("SSL_CERT_DIR"))
		return 0;
	for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
		int length = snprintf(path, sizeof path, "%s/%s", openssl, own[i]);
		if (length >= (int)sizeof path || access(path, R_OK) == 0)
			return 0;
	}
	for (size_t i = 0; i < sizeof files / sizeof *files; i++)
		if (access(files[i], R_OK) == 0)
			return setenv("SSL_CERT_FILE", files[i], 1);
	return 0;
}
