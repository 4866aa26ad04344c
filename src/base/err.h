/* base/err.h - why it failed, in words the person who typed the command can act on */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stddef.h>

enum err_code {
	ERR_NONE,
	ERR_INVALID,     /* the input is wrong: says which object, which field, what to do */
	ERR_NOT_FOUND,   /* the thing named does not exist */
	ERR_EXISTS,      /* the thing to be made exists already */
	ERR_CONFLICT,    /* it changed meanwhile (resourceVersion, uid) */
	ERR_DENIED,      /* not allowed */
	ERR_GONE,        /* a revision too old to watch from */
	ERR_LIMIT,       /* a documented limit was reached */
	ERR_IO,          /* the system refused: file, socket, disk */
	ERR_TIMEOUT,     /* a deadline passed */
	ERR_PROTOCOL,    /* the peer broke its protocol */
	ERR_UNSUPPORTED, /* correct, but this program does not do it */
	ERR_CODE_COUNT
};

#define ERR_MSG_MAX 1024

struct err {
	enum err_code code; /* one table in api/status.c maps it to HTTP status and Status.reason */
	char msg[ERR_MSG_MAX];
};

/* Sets code and sentence; a longer sentence is cut. err may be NULL. Always returns -1. */
int err_set(struct err *err, enum err_code code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Puts a prefix ("file a.yaml: ") before the sentence that is there. Always returns -1. */
int err_prefix(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
