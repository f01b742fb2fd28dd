/* Certificates of the host for an OpenSSL that looks for them where another distribution has them. */
#ifndef CERTIFICATES_H
#define CERTIFICATES_H

/*
 * Sets SSL_CERT_FILE to the file with the host's certificates, unless the caller says where they are, or the
 * folder `openssl` that was compiled in has them. Returns 0, also where there are none; -1 without memory.
 */
int certificates_find(const char *openssl);

#endif
