/*
 * What a program of glibc can ask its libc and the kernel, a line for each answer: `name value`.
 *
 *   packed-program              the answers
 *   packed-program child        what a program sees that was started by the one above
 *   packed-program wait         starts a thread, says its process and waits to be killed
 */
#include <cerrno>
#include <clocale>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <execinfo.h>
#include <gnu/libc-version.h>
#include <iconv.h>
#include <iostream>
#include <langinfo.h>
#include <link.h>
#include <netdb.h>
#include <pwd.h>
#include <stdexcept>
#include <string>
#include <sys/auxv.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

extern char **environ;
extern "C" char _start[];

namespace
{

template <typename Value> void say(const char *name, const Value &value)
{
	std::cout << name << " " << value << "\n";
}

const char *variable(const char *name)
{
	const char *value = getenv(name);
	return value ? value : "(none)";
}

std::string environment()
{
	std::string all;
	for (char **entry = environ; *entry; entry++)
		all += std::string(*entry) + "|";
	return all;
}

/* Before main, and after the constructors of all libraries. */
struct Early {
	std::string seen = environment();
} early;

thread_local int mine = 7;

std::string executable()
{
	char path[4096];
	ssize_t length = readlink("/proc/self/exe", path, sizeof path);
	return length < 0 ? "(none)" : std::string(path, static_cast<size_t>(length));
}

/* Whoever looks for the auxiliary vector behind the environment. */
bool vector_behind_environment()
{
	char **end = environ;
	while (*end)
		end++;
	const auto *aux = reinterpret_cast<ElfW(auxv_t) *>(end + 1);
	for (; aux->a_type != AT_NULL; aux++)
		if (aux->a_type == AT_EXECFN)
			return true;
	return false;
}

int threads()
{
	std::vector<std::thread> all;
	int sum = 0;
	for (int i = 0; i < 4; i++)
		all.emplace_back([&sum, i] {
			try {
				if (i == 2)
					throw std::runtime_error("of a thread");
				mine = i;
			} catch (const std::exception &) {
				__sync_fetch_and_add(&sum, 100);
			}
			__sync_fetch_and_add(&sum, mine);
		});
	for (std::thread &thread : all)
		thread.join();
	return sum;
}

std::string converted(const char *from)
{
	iconv_t conversion = iconv_open("UTF-8", from);
	if (conversion == reinterpret_cast<iconv_t>(-1))
		return strerror(errno);
	char in[] = "\xe4", out[8] = {};
	char *source = in, *target = out;
	size_t left = 1, room = sizeof out - 1;
	iconv(conversion, &source, &left, &target, &room);
	iconv_close(conversion);
	return out;
}

std::string locale_of(const char *name)
{
	const char *set = setlocale(LC_ALL, name);
	return set ? std::string(set) + " " + nl_langinfo(CODESET) : "(none)";
}

std::string resolved(const char *name)
{
	addrinfo *found = nullptr;
	int code = getaddrinfo(name, nullptr, nullptr, &found);
	if (found)
		freeaddrinfo(found);
	return code ? gai_strerror(code) : "ok";
}

std::string library_of(const void *function)
{
	Dl_info info;
	return dladdr(function, &info) ? info.dli_fname : "(none)";
}

std::string shell(const char *command)
{
	std::string line;
	FILE *pipe = popen(command, "r");
	for (int c; pipe && (c = getc(pipe)) != EOF && c != '\n';)
		line += static_cast<char>(c);
	if (pipe)
		pclose(pipe);
	return line;
}

int child_of_itself()
{
	int status = 0;
	std::cout.flush();
	pid_t child = fork();
	if (child == 0) {
		execl("/proc/self/exe", "zero", "child", static_cast<char *>(nullptr));
		_exit(120);
	}
	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void answer(char **argv)
{
	void *trace[32];
	say("glibc", gnu_get_libc_version());
	say("argv0", argv[0]);
	say("exe", executable());
	say("execfn", reinterpret_cast<char *>(getauxval(AT_EXECFN)));
	say("entry", getauxval(AT_ENTRY) == reinterpret_cast<unsigned long>(_start));
	say("vector", vector_behind_environment());
	say("constructor", early.seen == environment() ? "the same" : early.seen);
	say("LD_LIBRARY_PATH", variable("LD_LIBRARY_PATH"));
	say("LD_PRELOAD", variable("LD_PRELOAD"));
	say("threads", threads());
	say("pow", std::pow(2.0, 10.0));
	say("libc", library_of(reinterpret_cast<void *>(&gnu_get_libc_version)));
	say("dlopen", dlopen("libresolv.so.2", RTLD_NOW) ? "ok" : dlerror());
	say("localhost", resolved("localhost"));
	say("named", resolved("name-of-etc-hosts"));
	say("passwd", getpwuid(0) ? getpwuid(0)->pw_name : "(none)");
	say("UTF-16", converted("UTF-16BE") == "" ? "ok" : converted("UTF-16BE"));
	say("ISO-8859-1", converted("ISO-8859-1"));
	say("C.UTF-8", locale_of("C.UTF-8"));
	say("backtrace", backtrace(trace, 32) > 2);
	say("shell", shell("echo \"says $((6 * 7)) [$LD_LIBRARY_PATH]\""));
	say("brk", sbrk(1 << 24) != reinterpret_cast<void *>(-1));
	say("child", child_of_itself());
}

} // namespace

int main(int argc, char **argv)
{
	if (argc < 2) {
		answer(argv);
	} else if (!strcmp(argv[1], "child")) {
		say("child-argv0", argv[0]);
		say("child-glibc", gnu_get_libc_version());
		say("child-LD_LIBRARY_PATH", variable("LD_LIBRARY_PATH"));
		return 42;
	} else {
		std::thread waiting([] {
			std::cout << getpid() << std::endl;
			pause();
		});
		waiting.join();
	}
	return 0;
}
