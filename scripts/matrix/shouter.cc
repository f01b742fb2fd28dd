/* A program with a library of its own, and those of every C++ program. */
#include <exception>
#include <iostream>

#include "shout.h"

int main()
{
	std::cout << shout("hello") << std::endl;
	try {
		shout("");
	} catch (const std::exception &error) {
		std::cout << "caught: " << error.what() << std::endl;
	}
	return 0;
}
