#include "guest/network.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <net/route.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/owned.h"
#include "guest/digits.h"
#include "guest/wait.h"

#define INTERFACES "/sys/class/net"

static int refuse(const char *record, const char *value, struct failure *failure)
{
	return fail(failure, FUSELAGE_E_GUEST_START, "%s: unexpected value \"%.100s\"", record,
		    value);
}

static uint32_t network_order(uint32_t value)
{
	return __builtin_bswap32(value); /* base/bytes.h: the machine is little endian */
}

/* A.B.C.D. Returns what follows, or NULL. */
static const char *parse_address(const char *text, struct sockaddr_in *address)
{
	uint32_t value = 0;

	for (int i = 0; i < 4; i++) {
		uint64_t part;
		if (!digits_read(&text, 255, &part) || (i < 3 && *text != '.'))
			return NULL;
		value = value << 8 | (uint32_t)part;
		text += i < 3;
	}
	*address =
		(struct sockaddr_in){ .sin_family = AF_INET, .sin_addr = { network_order(value) } };
	return text;
}

static int set_up(int socket, const char *name)
{
	struct ifreq request = { 0 };

	snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
	if (ioctl(socket, SIOCGIFFLAGS, &request) < 0)
		return -1;
	request.ifr_flags |= IFF_UP;
	return ioctl(socket, SIOCSIFFLAGS, &request);
}

/* The first that is not lo. Tunnels that a module makes by itself are no links of the machine's. */
static bool find_interface(void *context)
{
	char *name = context, path[sizeof INTERFACES + IF_NAMESIZE + 8];
	struct dirent *entry;
	DIR *folder = opendir(INTERFACES);

	*name = 0;
	while (folder && (entry = readdir(folder))) {
		if (*entry->d_name == '.' || strlen(entry->d_name) >= IF_NAMESIZE)
			continue;
		snprintf(path, sizeof path, INTERFACES "/%.15s/device", entry->d_name);
		if (access(path, F_OK) == 0 && (!*name || strcmp(entry->d_name, name) < 0))
			snprintf(name, IF_NAMESIZE, "%.15s", entry->d_name);
	}
	if (folder)
		closedir(folder);
	return *name;
}

static int set_address(int socket, const char *name, const char *text, struct failure *failure)
{
	struct ifreq request = { 0 };
	struct sockaddr_in address, mask = { .sin_family = AF_INET };
	const char *slash = parse_address(text, &address);
	uint64_t bits;

	if (!slash || *slash != '/' || !digits_are(slash + 1, 32, &bits) || bits < 1)
		return refuse("address", text, failure);
	mask.sin_addr.s_addr = network_order(UINT32_MAX << (32 - bits));
	snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
	memcpy(&request.ifr_addr, &address, sizeof address);
	if (ioctl(socket, SIOCSIFADDR, &request) < 0)
		return -1;
	memcpy(&request.ifr_netmask, &mask, sizeof mask);
	return ioctl(socket, SIOCSIFNETMASK, &request) < 0 ? -1 : set_up(socket, name);
}

static int set_gateway(int socket, const char *text, struct failure *failure)
{
	struct rtentry route = { .rt_flags = RTF_UP | RTF_GATEWAY };
	struct sockaddr_in gateway, any = { .sin_family = AF_INET };
	const char *end = parse_address(text, &gateway);

	if (!end || *end)
		return refuse("gateway", text, failure);
	memcpy(&route.rt_gateway, &gateway, sizeof gateway);
	memcpy(&route.rt_dst, &any, sizeof any);
	memcpy(&route.rt_genmask, &any, sizeof any);
	return ioctl(socket, SIOCADDRT, &route);
}

static int write_file(const char *path, const char *text, struct failure *failure)
{
	OWNED_FD file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);

	if (file >= 0 && write_full(file, text, strlen(text)) == 0)
		return 0;
	return fail_errno(failure, FUSELAGE_E_GUEST_START, "%s", path);
}

/* What a program without an image as its root directory asks for: who it is, and what names mean. */
static int write_etc(const struct run_file *run, struct failure *failure)
{
	const char *name = run->hostname ? run->hostname : "localhost";
	char line[256];

	snprintf(line, sizeof line, "127.0.0.1 localhost %.64s\n::1 localhost\n",
		 run->hostname ? run->hostname : "");
	if (write_file("/etc/hosts", line, failure) < 0)
		return -1;
	snprintf(line, sizeof line, "%.64s\n", name);
	if (write_file("/etc/hostname", line, failure) < 0 ||
	    write_file("/etc/passwd",
		       "root:x:0:0:root:/root:/bin/sh\n"
		       "nobody:x:65534:65534:nobody:/:/bin/false\n",
		       failure) < 0 ||
	    write_file("/etc/group", "root:x:0:\nnogroup:x:65534:\n", failure) < 0)
		return -1;
	for (size_t i = 0; i < run->nameservers.count; i++) {
		snprintf(line, sizeof line, "nameserver %.64s\n", run->nameservers.texts[i]);
		if (write_file("/etc/resolv.conf", line, failure) < 0)
			return -1;
	}
	return 0;
}

int network_configure(const struct run_file *run, struct failure *failure)
{
	OWNED_FD control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char name[IF_NAMESIZE];

	if (write_etc(run, failure) < 0)
		return -1;
	if (control < 0 && !run->address)
		return 0; /* a kernel without networks */
	if (control < 0 || set_up(control, "lo") < 0)
		return fail_errno(failure, FUSELAGE_E_GUEST_START, "network interface lo");
	if (!run->address)
		return 0;
	if (!wait_until(find_interface, name))
		return fail(failure, FUSELAGE_E_GUEST_START,
			    "address=%.100s: the machine has no network interface", run->address);
	if (set_address(control, name, run->address, failure) < 0)
		return fail_errno(failure, FUSELAGE_E_GUEST_START, "%s: address %.100s", name,
				  run->address);
	if (run->gateway && set_gateway(control, run->gateway, failure) < 0)
		return fail_errno(failure, FUSELAGE_E_GUEST_START, "%s: gateway %.100s", name,
				  run->gateway);
	return 0;
}
