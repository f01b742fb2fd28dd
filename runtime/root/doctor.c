#include "root/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/show.h"
#include "base/child.h"
#include "base/owned.h"
#include "root/range.h"
#include "root/rights.h"
#include "start/home.h"
#include "start/mount_archives.h"

/* Exit statuses of the attempt. */
enum {
	WORKS,
	FAILED,
	WORKS_WITHOUT_XATTRS
};

struct attempt {
	struct root_start *root;
	struct start *start;
	int out;
};

static int attempt_main(void *argument)
{
	const struct attempt *attempt = argument;
	struct failure failure = { 0 };

	attempt->start->mounting.type = "auto";
	attempt->start->keep.bundle = NULL;
	if (home_prepare(attempt->start->home, &attempt->start->identity, &failure) < 0 ||
	    mount_archives(attempt->start, &failure) < 0 ||
	    root_build(attempt->root, attempt->start, &failure) < 0) {
		(void)failure_send(attempt->out, &failure);
		return FAILED;
	}
	/* /run is in the same tmpfs as what is changed. */
	return setxattr("/run", "user.fuselage", "", 0, 0) < 0 && errno == EOPNOTSUPP ?
		       WORKS_WITHOUT_XATTRS :
		       WORKS;
}

static void tell(FILE *out, const char *name, const char *text)
{
	fprintf(out, "%-11s %s\n", name, text);
}

static void tell_root(struct root_start *root, struct start *start, FILE *out)
{
	struct failure failure = { 0 };
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return;
	OWNED_FD in = ends[0], ours = ends[1];
	struct attempt attempt = { root, start, ours };
	int status = child_run(attempt_main, &attempt);
	close(steal_fd(&ours));
	if (status == FAILED && failure_receive(in, &failure)) {
		fprintf(out, "%-11s refused: %s\n%-11s   to do: %s\n", "root", failure.text, "",
			failure_known(failure.code)->hint);
		return;
	}
	if (status != WORKS && status != WORKS_WITHOUT_XATTRS) {
		fprintf(out, "%-11s refused: the attempt ended with status %d\n", "root", status);
		return;
	}
	fprintf(out, "%-11s works, as user %u of the image%s", "root", (unsigned)root->user.uid,
		*root->user.name ? ", " : "");
	show_print(out, root->user.name);
	fputs("\n", out);
	if (status == WORKS_WITHOUT_XATTRS && start->identity.kind == NAMESPACE_USER)
		tell(out, "",
		     "  a directory of the image that is removed cannot be made again (Linux "
		     "before "
		     "6.6): --persist DIR on a disk");
}

static void tell_users(const struct root_start *root, const struct start *start, FILE *out)
{
	struct failure failure = { 0 };
	struct id_maps maps;

	if (start->identity.kind == NAMESPACE_PRIVILEGED) {
		tell(out, "users", "all of the image, as root");
		return;
	}
	if (identity_has_range(&start->identity)) {
		tell(out, "users", "all of the image, by newuidmap");
		return;
	}
	tell(out, "users",
	     rights_are_faked(root, &start->identity) ?
		     "one; chown, setuid and the like are answered with success and do nothing. "
		     "Programs that refuse root: -u USER" :
		     "one; chown, setuid and the like fail");
	if (range_find(&maps, &start->identity.caller, root->user.uid, root->user.gid, &failure) ==
	    0)
		tell(out, "range",
		     "the caller has a share of ids: --range gives the image's users "
		     "their own");
	else
		fprintf(out, "%-11s not to be had: %s\n", "range", failure.text);
}

static unsigned first_open_port(void)
{
	OWNED_FD fd = open("/proc/sys/net/ipv4/ip_unprivileged_port_start", O_RDONLY | O_CLOEXEC);
	char text[16];
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);

	text[n > 0 ? n : 0] = 0;
	return n > 0 ? (unsigned)strtoul(text, NULL, 10) : 1024;
}

static void tell_ports(const struct root_start *root, const struct start *start, FILE *out)
{
	const struct text_list *ports = &root->bundle->manifest.root.ports;
	unsigned first = first_open_port();

	for (size_t i = 0; i < ports->count; i++) {
		unsigned long port = strtoul(ports->texts[i], NULL, 10);
		if (start->identity.kind == NAMESPACE_PRIVILEGED || port >= first)
			continue;
		fprintf(out, "%-11s ", "port");
		show_print(out, ports->texts[i]);
		fprintf(out,
			" is closed to users: let the app listen on another, or as root sysctl "
			"net.ipv4.ip_unprivileged_port_start=%lu\n",
			port);
	}
}

/* What starts, by its last name: the program of the bundle, of its arguments, or of those that are usual. */
static const char *starter_of(const struct bundle *bundle)
{
	const struct manifest *manifest = &bundle->manifest;
	const char *program = manifest->entry		   ? manifest->entry :
			      manifest->arg_count > 0	   ? manifest->args[0] :
			      manifest->root.cmd.count > 0 ? manifest->root.cmd.texts[0] :
							     "";
	const char *slash = strrchr(program, '/');

	return slash ? slash + 1 : program;
}

/* By its name, as nothing of the image is run here: programs that are content as process 1 alone. */
static void tell_init(const struct root_start *root, FILE *out)
{
	static const char *const inits[] = {
		"init",	       "systemd", "s6-svscan",	 "runit",	"runit-init",
		"openrc-init", "tini",	  "tini-static", "docker-init", "catatonit",
	};
	const char *program = starter_of(root->bundle);

	for (size_t i = 0; i < sizeof inits / sizeof *inits && !root->options.as_init; i++)
		if (strcmp(program, inits[i]) == 0)
			fprintf(out,
				"%-11s %s wants to be process 1: --bundle-run --as-init, or built "
				"with --run --as-init\n",
				"init", program);
}

void root_doctor(struct root_start *root, struct start *start, FILE *out)
{
	fflush(out);
	tell_root(root, start, out);
	tell_users(root, start, out);
	tell_ports(root, start, out);
	tell_init(root, out);
}
