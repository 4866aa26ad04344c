/* tests/unit/port.h - a TCP port of 127.0.0.1 for a server that binds it later */
#ifndef TESTS_UNIT_PORT_H
#define TESTS_UNIT_PORT_H

#include <stdint.h>

/* Free now, below the range from which the kernel takes ports for clients, and claimed until this
 * process ends: whoever else asks here, or free_port() of tests/flow/proc.py, gets another one.
 * Aborts when there is none. */
uint16_t port_claim(void);

#endif
