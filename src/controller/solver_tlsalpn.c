/* controller/solver_tlsalpn.c - TLS-ALPN-01: the HTTPS listeners answer (RFC 8737)
 *
 * The Challenge object is what they answer from (tokens.c). For a host whose port 80 cannot be
 * reached, or that has none.
 */
#include "controller/order_run.h"

#include "controller/compile.h"
#include "pki/jws.h"

static bool present(struct order_look *look, const struct object *challenge)
{
	if (compile_has_https(look->ctl))
		return order_challenge_served(look, challenge);
	order_back_off(look, "NotServed",
		       "no HTTPS listener is programmed, and TLS-ALPN-01 is answered by one: add a "
		       "listener with protocol HTTPS on port 443 to a Gateway",
		       -1);
	return false;
}

const struct solver_type solver_tlsalpn01 = {.type = "TLS-ALPN-01",
					     .offer = "tls-alpn-01",
					     .member = "tlsALPN01",
					     .addresses = true,
					     .answer = jws_key_authorization,
					     .present = present,
					     .drop = ctl_delete_object};
