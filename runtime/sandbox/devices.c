/* Devices and sockets by the words of the rules: what there is of them on this machine. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox/grants.h"

#define TO_USE (GRANT_READ | GRANT_WRITE | GRANT_DEVICE)

/* Every node of /dev whose name begins so: nvidia0, nvidiactl; hidraw0. */
static int add_nodes(struct grants *grants, const char *prefix, struct failure *failure)
{
	char path[NAME_MAX + 8];
	DIR *dir = opendir("/dev");
	int result = 0;

	for (struct dirent *entry; result == 0 && dir && (entry = readdir(dir));) {
		if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0)
			continue;
		snprintf(path, sizeof path, "/dev/%s", entry->d_name);
		result = grants_add(grants, path, TO_USE, failure);
	}
	if (dir)
		closedir(dir);
	return result;
}

static int add(struct grants *grants, const char *const *paths, unsigned rights,
	       struct failure *failure)
{
	for (; *paths; paths++)
		if (grants_add(grants, *paths, rights, failure) < 0)
			return -1;
	return 0;
}

/* A file of the runtime directory, by its name there. */
static int add_socket(struct grants *grants, const char *name, struct failure *failure)
{
	char path[PATH_MAX];

	if (!grants->runtime && *name != '/')
		return 0;
	snprintf(path, sizeof path, "%s%s%s", *name == '/' ? "" : grants->runtime,
		 *name == '/' ? "" : "/", name);
	return grants_add(grants, path, GRANT_READ | GRANT_WRITE, failure);
}

int grants_add_devices(struct grants *grants, const struct rules *rules, struct failure *failure)
{
	/* Drivers find their devices by their numbers and by the bus. */
	static const char *const gpu[] = { "/dev/dri", "/dev/kfd", NULL };
	static const char *const buses[] = { "/sys/dev/char",
					     "/sys/class/drm",
					     "/sys/class/input",
					     "/sys/class/sound",
					     "/sys/bus",
					     "/sys/devices",
					     NULL };
	static const char *const audio[] = { "/dev/snd", NULL };
	static const char *const input[] = { "/dev/input", NULL };
	static const char *const udev[] = { "/run/udev/data", NULL };
	uint32_t any = RULE_BIT(RULE_GPU) | RULE_BIT(RULE_AUDIO) | RULE_BIT(RULE_INPUT);

	if (!(rules->words & any))
		return 0;
	if (add(grants, buses, GRANT_READ, failure) < 0 ||
	    add(grants, udev, GRANT_READ, failure) < 0)
		return -1;
	if (rules_have(rules, RULE_GPU) &&
	    (add(grants, gpu, TO_USE, failure) < 0 || add_nodes(grants, "nvidia", failure) < 0))
		return -1;
	if (rules_have(rules, RULE_AUDIO) && (add(grants, audio, TO_USE, failure) < 0 ||
					      add_socket(grants, "pulse/native", failure) < 0 ||
					      add_socket(grants, "pipewire-0", failure) < 0))
		return -1;
	if (rules_have(rules, RULE_INPUT) &&
	    (add(grants, input, TO_USE, failure) < 0 || add_nodes(grants, "hidraw", failure) < 0))
		return -1;
	return 0;
}

int grants_add_display(struct grants *grants, const struct rules *rules, struct failure *failure)
{
	const char *display = grants->session->wayland;
	const char *cookie = grants->session->cookie;
	char path[PATH_MAX];

	if (rules_have(rules, RULE_BUSES) &&
	    (add_socket(grants, "bus", failure) < 0 ||
	     add_socket(grants, "/run/dbus/system_bus_socket", failure) < 0))
		return -1;
	if (rules_have(rules, RULE_WAYLAND) &&
	    add_socket(grants, display && *display ? display : "wayland-0", failure) < 0)
		return -1;
	if (!rules_have(rules, RULE_X11))
		return 0;
	if (grants_add(grants, "/tmp/.X11-unix", GRANT_READ, failure) < 0)
		return -1;
	if (cookie && *cookie == '/')
		return grants_add(grants, cookie, GRANT_READ, failure);
	if (!grants->home)
		return 0;
	snprintf(path, sizeof path, "%s/.Xauthority", grants->home);
	return grants_add(grants, path, GRANT_READ, failure);
}
