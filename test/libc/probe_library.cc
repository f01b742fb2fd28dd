#include <stdexcept>
#include <string>

std::string shout(const std::string &text)
{
	if (text.empty())
		throw std::invalid_argument("nothing to shout");
	return text + "!";
}
