/* base/own.c - memory that must be there, releases at the end of a scope */
#include "base/own.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Noreturn void out_of_memory(void)
{
	static const char line[] = "sallyport: out of memory, ending\n";
	ssize_t ignored = write(STDERR_FILENO, line, sizeof(line) - 1);

	(void)ignored;
	abort();
}

void *xcalloc(size_t count, size_t size)
{
	void *ptr = calloc(count > 0 ? count : 1, size > 0 ? size : 1);

	if (ptr == NULL)
		out_of_memory();
	return ptr;
}

void *xmalloc(size_t size)
{
	return xrealloc(NULL, size);
}

void *xrealloc(void *ptr, size_t size)
{
	void *moved = realloc(ptr, size > 0 ? size : 1);

	if (moved == NULL)
		out_of_memory();
	return moved;
}

char *xstrdup(const char *text)
{
	size_t size = strlen(text) + 1;

	return memcpy(xmalloc(size), text, size);
}

char *xasprintf(const char *fmt, ...)
{
	va_list args;
	char *text;

	va_start(args, fmt);
	text = xvasprintf(fmt, args);
	va_end(args);
	return text;
}

char *xvasprintf(const char *fmt, va_list args)
{
	char *text = NULL;

	if (vasprintf(&text, fmt, args) < 0)
		out_of_memory();
	return text;
}

void auto_free(void *ptr)
{
	void *held;

	memcpy(&held, ptr, sizeof(held)); /* ptr is the address of a pointer of any type */
	free(held);
}

void auto_close(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}
