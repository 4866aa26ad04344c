/* daemon/notify.h - what the service manager is told (sd_notify); nothing where libsystemd is left
 * out */
#ifndef DAEMON_NOTIFY_H
#define DAEMON_NOTIFY_H

void notify_ready(void);
void notify_reloading(void);
void notify_stopping(void);
void notify_status(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Descriptor of the journal's stream for the access log, or -1 with errno. */
int notify_journal(void);

#endif
