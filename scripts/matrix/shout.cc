/* The library of a program: an exception of it has to cross libstdc++. */
#include "shout.h"

#include <stdexcept>

std::string shout(const std::string &text)
{
	if (text.empty())
		throw std::invalid_argument("nothing to shout");
	return text + "!";
}
