// What workers throw. It crosses threads by value and becomes a JavaScript Error at the edge.
#ifndef NATIVE_FAILURE_H
#define NATIVE_FAILURE_H

#include <string>

#include "generated/addon.h"

namespace native
{

struct Failure {
	using Kind = FailureKind;

	Kind kind;
	int error = 0; // errno, where a system call failed
	std::string what; // the step that failed, or how the file changed
	std::string path; // the input's path as bytes, may be empty
};

} // namespace native

#endif
