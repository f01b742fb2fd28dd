/*
 * What a start left for the program: a line for each answer, `name value`.
 *
 *   packed-probe                 the answers
 *   packed-probe child           the environment as a child inherits it
 *   packed-probe open LIBRARY    whether it can be opened, and from where it came
 *
 * With -DEARLY a function of its own in DT_PREINIT_ARRAY says what it sees. The library libearly.so (of
 * -DLIBRARY) has a constructor that changes the environment.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <gnu/libc-version.h>
#endif

extern char **environ;

/* A digest that is the same for the same environment, and the number of variables. */
static void say_environment(const char *name, char **environment)
{
	unsigned long digest = 5381;
	int count = 0;

	for (; *environment; environment++, count++)
		for (const char *byte = *environment; *byte; byte++)
			digest = digest * 33 + (unsigned char)*byte;
	printf("%s %d %lx\n", name, count, digest);
}

#ifdef LIBRARY

__attribute__((constructor)) static void change(int argc, char **argv, char **environment)
{
	(void)argc;
	(void)argv;
	if (getenv("ADDED_BY_LIBRARY")) /* by the parent */
		return;
	say_environment("library", environment);
	/* From here on the environment is a copy of what stood there. */
	setenv("ADDED_BY_LIBRARY", "1", 1);
}

int early(void)
{
	return 42;
}

#else

#ifdef EARLY
static char seen[64];

static void before(int argc, char **argv, char **environment)
{
	int count = 0;

	(void)argv;
	while (environment[count])
		count++;
	sprintf(seen, "%d arguments, %d variables", argc, count);
}

__attribute__((section(".preinit_array"), used)) static void (*const first)(int, char **,
									    char **) = before;
#endif

#ifdef WITH_LIBRARY
int early(void);
#endif

static const char *libc_version(void)
{
#ifdef __GLIBC__
	return gnu_get_libc_version();
#else
	return "musl";
#endif
}

static void say_link(const char *name, const char *path)
{
	char target[4096] = "(none)";
	ssize_t length = readlink(path, target, sizeof target - 1);

	if (length >= 0)
		target[length] = 0;
	printf("%s %s\n", name, target);
}

static int open_library(const char *name)
{
	struct link_map *map;
	void *library = dlopen(name, RTLD_NOW);

	if (!library) {
		printf("opened %s\n", dlerror());
		return 1;
	}
	dlinfo(library, RTLD_DI_LINKMAP, &map);
	printf("opened %s\n", map->l_name);
	return 0;
}

static void say_vector(void)
{
	char **end = environ;

	/* Behind the environment as it came; a copy of it has no vector. */
	if (getenv("ADDED_BY_LIBRARY"))
		return;
	while (*end)
		end++;
	for (const ElfW(auxv_t) *entry = (const void *)(end + 1); entry->a_type; entry++)
		if (entry->a_type == AT_EXECFN)
			puts("vector yes");
}

int main(int argc, char **argv)
{
	if (argc > 2 && !strcmp(argv[1], "open"))
		return open_library(argv[2]);
	if (argc == 2 && !strcmp(argv[1], "child")) {
		say_environment("child", environ);
		return 0;
	}
	printf("arguments %d\n", argc);
	printf("libc %s\n", libc_version());
	printf("name %s\n", argc > 0 ? argv[0] : "(none)");
	say_link("exe", "/proc/self/exe");
	say_environment("main", environ);
	say_vector();
	printf("locale %s\n", setlocale(LC_ALL, "") ? setlocale(LC_ALL, NULL) : "(none)");
#ifdef EARLY
	printf("early %s\n", seen);
#endif
#ifdef WITH_LIBRARY
	printf("linked %d\n", early());
#endif
	fflush(stdout);
	if (fork() == 0) {
		execl("/proc/self/exe", "packed-probe", "child", (char *)NULL);
		_exit(0); /* where /proc is not mounted */
	}
	wait(NULL);
	return 0;
}

#endif
