#include "daemon/notify.h"

#include "config.h"

#include "base/buf.h"

#include <errno.h>
#include <stdarg.h>

#ifdef HAVE_LIBSYSTEMD

#include <syslog.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-journal.h>

static void tell(const char *state)
{
	(void)sd_notify(0, state);
}

int notify_journal(void)
{
	int fd = sd_journal_stream_fd("sallyport-access", LOG_INFO, 0);

	if (fd >= 0)
		return fd;
	errno = -fd;
	return -1;
}

#else

static void tell(const char *state)
{
	(void)state;
}

int notify_journal(void)
{
	errno = ENOTSUP;
	return -1;
}

#endif

void notify_ready(void)
{
	tell("READY=1");
}

void notify_reloading(void)
{
	tell("RELOADING=1");
}

void notify_stopping(void)
{
	tell("STOPPING=1");
}

void notify_status(const char *fmt, ...)
{
	struct buf text;
	va_list args;

	buf_init(&text, 1024);
	(void)buf_add(&text, SV("STATUS="));
	va_start(args, fmt);
	(void)buf_vaddf(&text, fmt, args);
	va_end(args);
	tell(buf_cstr(&text));
	buf_deinit(&text);
}
