/* Events of Gateways: one when something changes, none when nothing does. */
#include "gwlab.h"

#include "objects.h"

#include "base/own.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#define GATEWAY                                                     \
	"apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\n" \
	"metadata: {name: gw, namespace: default}\n"                \
	"spec:\n  gatewayClassName: sallyport\n"                    \
	"  addresses: [{type: IPAddress, value: 127.0.0.1}]\n"      \
	"  listeners: [{name: http, port: %P%, protocol: HTTP}]\n"
#define SECOND                                                      \
	"apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\n" \
	"metadata: {name: late, namespace: default}\n"              \
	"spec:\n  gatewayClassName: sallyport\n"                    \
	"  addresses: [{type: IPAddress, value: 127.0.0.1}]\n"      \
	"  listeners: [{name: http, port: %P%, protocol: HTTP}]\n"
#define CLASSLESS                                                   \
	"apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\n" \
	"metadata: {name: lost, namespace: default}\n"              \
	"spec:\n  gatewayClassName: nowhere\n"                      \
	"  listeners: [{name: http, port: %P%, protocol: HTTP}]\n"

static int setup(void **state)
{
	struct lab *lab = xcalloc(1, sizeof(*lab));

	lab_start(lab);
	*state = lab;
	return 0;
}

static int teardown(void **state)
{
	lab_stop(*state);
	free(*state);
	return 0;
}

struct sought {
	const char *name, *type, *reason, *words;
	int64_t count; /* times that it happened */
	size_t events; /* about the object */
};

static bool look_at(void *arg, const struct object *event)
{
	struct sought *sought = arg;

	if (!sv_eq(json_sv_at(event->json, "involvedObject.name"), sv_from(sought->name)))
		return true;
	sought->events++;
	if (sv_eq(json_sv_at(event->json, "type"), sv_from(sought->type)) &&
	    sv_eq(json_sv_at(event->json, "reason"), sv_from(sought->reason)) &&
	    sv_find_sv(json_sv_at(event->json, "message"), sv_from(sought->words)) != SV_NOT_FOUND)
		sought->count += json_int_at(event->json, "count", 0);
	return true;
}

static struct sought look_for(struct lab *lab, struct sought sought)
{
	store_each(lab->store, SV("core/events/"), look_at, &sought);
	return sought;
}

static bool is_told(struct lab *lab, const void *arg)
{
	const struct sought *want = arg;

	return look_for(lab, *want).count > 0;
}

/* Told, once. */
static void expect(struct lab *lab, const struct sought *want)
{
	lab_until(lab, is_told, want, want->reason);
	assert_int_equal(look_for(lab, *want).count, 1);
}

static void served_is_told_once(void **state)
{
	static const struct sought served = {"gw", "Normal", "Programmed", "is served", 0, 0};
	struct lab *lab = *state;

	lab_apply(lab, GATEWAY);
	expect(lab, &served);
	lab_apply(lab, GATEWAY);
	lab_settle(lab);
	assert_int_equal(look_for(lab, served).events, 1);
}

static void a_port_in_use_is_told(void **state)
{
	static const struct sought busy = {"gw", "Warning", "ListenersNotValid", "in use", 0, 0},
				   served = {"gw", "Normal", "Programmed", "is served", 0, 0};
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct lab *lab = *state;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	addr.sin_port = htons(lab->port);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(fd, 1), 0);
	lab_apply(lab, GATEWAY);
	expect(lab, &busy);
	close(fd);
	expect(lab, &served);
	assert_int_equal(look_for(lab, served).events, 2);
}

static void conflicts_and_classes_are_told(void **state)
{
	static const struct sought conflict = {"late",
					       "Warning",
					       "ListenersNotValid",
					       "same port and hostname",
					       0,
					       0},
				   class = {"lost", "Warning", "Pending", "\"nowhere\"", 0, 0};
	struct lab *lab = *state;

	lab_apply(lab, GATEWAY);
	lab_apply(lab, SECOND);
	lab_apply(lab, CLASSLESS);
	expect(lab, &conflict);
	expect(lab, &class);
	lab_settle(lab);
	assert_int_equal(look_for(lab, conflict).events, 1);
	assert_int_equal(look_for(lab, class).events, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(served_is_told_once, setup, teardown),
		cmocka_unit_test_setup_teardown(a_port_in_use_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(conflicts_and_classes_are_told, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
