/* api/verbs.h - what the verbs share: the shape of answers, the objects of a collection */
#ifndef API_VERBS_H
#define API_VERBS_H

#include "api/request.h"
#include "api/selector.h"
#include "api/table.h"

/* The shape that the request asked for, as of now. */
struct shape request_shape(const struct request *request);

/* Answers with an object as it is stored. */
void request_answer_object(struct request *request, unsigned http, const json_t *object);

/* 'gateways.gateway.networking.k8s.io "nope" not found' */
void request_absent(struct request *request, const char *name);

/* The selectors of the query; -1: refused, answered. The selector borrows from the request. */
int request_selector(struct request *request, struct selector *selector);
/* Prefix of the keys of the route's collection; heap. */
char *request_prefix(const struct request *request);
/* Key of the route's object, NULL when no object can have that name; heap. */
char *request_key(const struct request *request);
/* The object that the route names, NULL when absent. */
const struct object *request_object(const struct request *request);

#endif
