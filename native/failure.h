// What workers throw. It crosses threads by value and becomes a JavaScript Error at the edge.
#ifndef NATIVE_FAILURE_H
#define NATIVE_FAILURE_H

#include <string>

namespace native
{

struct Failure {
	enum class Kind {
		read, // a system call on an input failed
		changed, // an input is no longer what was scanned
		write, // a system call on the output failed
		aborted, // the caller asked to stop
		memory,
		internal,
	};

	Kind kind;
	int error = 0; // errno, where a system call failed
	std::string what; // the step that failed, or how the file changed
	std::string path; // the input's path as bytes, may be empty
};

} // namespace native

#endif
