#pragma once
#include <string>

/* Throws std::invalid_argument when there is nothing to shout. */
std::string shout(const std::string &text);
