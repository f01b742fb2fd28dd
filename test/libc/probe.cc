// A program that uses of its libc what depends on the machine, and tells what it found as JSON.
#include <dlfcn.h>
#include <execinfo.h>
#include <iconv.h>
#include <langinfo.h>
#include <netdb.h>
#include <pthread.h>
#include <pwd.h>
#include <sys/auxv.h>
#include <sys/wait.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <stdexcept>
#include <string>
#include <thread>

std::string shout(const std::string &text); // of a library of its own

extern char **environ;

static bool leaks()
{
	for (char **one = environ; *one; one++)
		if (!strncmp(*one, "LD_", 3) || !strncmp(*one, "GCONV_PATH", 10) ||
		    !strncmp(*one, "LOCPATH", 7))
			return true;
	return false;
}

// Before main, as constructors of libraries are.
static const bool leaks_early = leaks();

static std::string self()
{
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof path);
	return std::string(path, n < 0 ? 0 : n);
}

static std::string address_of(const char *host)
{
	addrinfo hints = {}, *found = nullptr;
	hints.ai_family = AF_INET;
	int error = getaddrinfo(host, nullptr, &hints, &found);
	char text[64] = "";
	if (error)
		return gai_strerror(error);
	inet_ntop(AF_INET, &reinterpret_cast<sockaddr_in *>(found->ai_addr)->sin_addr, text, sizeof text);
	freeaddrinfo(found);
	return text;
}

static std::string from_latin1(const char *charset)
{
	char in[] = "\xe4", out[16] = "", *from = in, *to = out;
	size_t left = 1, room = sizeof out - 1;
	iconv_t converter = iconv_open("UTF-8", charset);
	if (converter == (iconv_t)-1)
		return "no converter";
	iconv(converter, &from, &left, &to, &room);
	iconv_close(converter);
	return out;
}

static std::string caught()
{
	std::string what;
	std::thread([&] {
		try {
			shout("");
		} catch (const std::exception &error) {
			what = error.what();
		}
	}).join();
	return what;
}

static void *end_thread(void *)
{
	pthread_exit(reinterpret_cast<void *>(7));
}

static std::string output_of(const char *command)
{
	char line[256] = "";
	FILE *pipe = popen(command, "r");
	if (!pipe)
		return "";
	if (!fgets(line, sizeof line, pipe))
		*line = 0;
	pclose(pipe);
	return std::string(line, strcspn(line, "\n"));
}

static int again(const char *what)
{
	int status = -1;
	pid_t child = fork();
	if (child == 0) {
		execl("/proc/self/exe", "zeroth", what, static_cast<char *>(nullptr));
		_exit(99);
	}
	return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "child"))
		return leaks() || strcmp(argv[0], "zeroth") ? 1 : 42;
	setlocale(LC_ALL, "C.UTF-8");
	wchar_t wide[4] = L"";
	Dl_info libc = {};
	dladdr(reinterpret_cast<void *>(&fopen), &libc);
	pthread_t thread;
	void *result = nullptr;
	if (pthread_create(&thread, nullptr, end_thread, nullptr) == 0)
		pthread_join(thread, &result);
	void *frames[32];
	passwd *user = getpwuid(getuid());
	auto text = [](const char *name, const std::string &value) {
		std::cout << '"' << name << "\": \"" << value << "\",\n";
	};
	std::cout << "{\n";
	text("self", self());
	text("argv0", argv[0]);
	text("execfn", reinterpret_cast<const char *>(getauxval(AT_EXECFN)));
	text("libc", libc.dli_fname ? libc.dli_fname : "");
	text("shouted", shout("hello"));
	text("caught", caught());
	text("host", address_of(argc > 1 ? argv[1] : "localhost"));
	text("user", user ? user->pw_name : "");
	text("latin1", from_latin1("ISO-8859-1"));
	text("japanese", from_latin1("SJIS"));
	text("charset", nl_langinfo(CODESET));
	text("shell", output_of("echo $((6 * 7))${LD_LIBRARY_PATH+leaks}"));
	std::cout << "\"letters\": " << static_cast<long>(mbstowcs(wide, "\xc3\xa4", 4))
		  << ",\n\"thread\": " << reinterpret_cast<long>(result)
		  << ",\n\"frames\": " << backtrace(frames, 32) << ",\n\"child\": " << again("child")
		  << ",\n\"leaks\": " << (leaks() || leaks_early ? "true" : "false") << "\n}" << std::endl;
}
