/* controller/certificate_alarm.c - a certificate that should have been renewed and was not, said
 * long before it expires
 */
#include "controller/certificate.h"

#include "controller/alert.h"
#include "controller/renewal.h"

#include <stdio.h>

static const char *const reasons[] = {
	[ALARM_LATE] = "Late", [ALARM_SOON] = "Soon", [ALARM_EXPIRED] = "Expired"};

static void tell(struct cert_look *look, enum renewal_alarm alarm)
{
	const char *why = json_str_at(
		condition_find(json_member(look->status, "conditions"), "Issuing"), "message");
	char due[CLOCK_TEXT_SIZE], end[CLOCK_TEXT_SIZE];

	clock_rfc3339(look->renewal, due);
	clock_rfc3339(look->not_after, end);
	status_condition(look->status, look->cert, ALARM_CONDITION, COND_TRUE, reasons[alarm],
			 "%s %s; it was to be renewed at %s%s%s",
			 alarm == ALARM_EXPIRED ? "The certificate has expired at"
						: "The certificate expires at",
			 end, due, why == NULL ? "" : ": ", why == NULL ? "" : why);
}

void certificate_alarm(struct cert_look *look)
{
	const json_t *before =
		condition_find(json_member(look->status, "conditions"), ALARM_CONDITION);
	enum renewal_alarm alarm = ALARM_NONE;
	struct str_view reason;
	int64_t next;

	if (look->dated) {
		alarm = renewal_alarm(look->renewal, look->not_after, look->now, &next);
		if (alarm != ALARM_EXPIRED)
			certificate_look_at(look, next);
	}
	if (alarm == ALARM_NONE) {
		if (before != NULL) {
			(void)condition_remove(json_object_get(look->status, "conditions"),
					       ALARM_CONDITION);
			alert_changed(look->ctl);
		}
		return;
	}
	reason = json_sv_at(before, "reason");
	if (!sv_eq(reason, sv_from(reasons[alarm]))) {
		char end[CLOCK_TEXT_SIZE];

		clock_rfc3339(look->not_after, end);
		ctl_event(look->ctl, kind_of_certificate(), look->cert, "Warning", ALARM_CONDITION,
			  alarm == ALARM_EXPIRED ? "The certificate has expired at %s"
						 : "The certificate expires at %s and has not been "
						   "renewed in time",
			  end);
		alert_changed(look->ctl);
	}
	tell(look, alarm);
}
