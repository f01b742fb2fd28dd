/* The smallest program whose start can be timed. */
#include <stdio.h>

int main(void)
{
	puts("hello");
	return 0;
}
