/* base/own.h - ownership: release at the end of a scope, memory that must be there */
#ifndef BASE_OWN_H
#define BASE_OWN_H

#include <stdarg.h>
#include <stddef.h>

#define AUTO(release) __attribute__((cleanup(release)))

/* Moves a pointer out of a variable, which becomes NULL: return TAKE(thing); */
#define TAKE(ptr)                               \
	({                                      \
		__typeof__(ptr) taken_ = (ptr); \
		(ptr) = NULL;                   \
		taken_;                         \
	})

#define ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))

#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* Small allocations of our own making: they return memory or end the process with a line on
 * stderr. Sizes that a peer chooses never come here without a limit. */
void *xcalloc(size_t count, size_t size); /* zeroed */
void *xmalloc(size_t size);
void *xrealloc(void *ptr, size_t size);
char *xstrdup(const char *text);
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
char *xvasprintf(const char *fmt, va_list args) __attribute__((format(printf, 1, 0)));

void auto_free(void *ptr);      /* AUTO(auto_free) char *text */
void auto_close(const int *fd); /* AUTO(auto_close) int fd = -1; closes when >= 0 */

#endif
