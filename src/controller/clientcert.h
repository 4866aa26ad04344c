/* controller/clientcert.h - what a Gateway shows to backends that ask for a certificate
 * (spec.tls.backend.clientCertificateRef)
 */
#ifndef CONTROLLER_CLIENTCERT_H
#define CONTROLLER_CLIENTCERT_H

#include "controller/certrefs.h"

/* Fills client_… of the Gateway. What does not resolve is left out: backends that insist refuse
 * then. */
void clientcert_resolve(const struct certrefs_env *env, struct gateway *gateway);

#endif
