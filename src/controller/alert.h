/* controller/alert.h - tells somebody, by a script or a webhook, that certificates are not renewed
 *
 * One message for all that are concerned, at most one in five minutes; each certificate when it
 * gets worse, daily while it lasts, and when it is over. What cannot be delivered is told again.
 */
#ifndef CONTROLLER_ALERT_H
#define CONTROLLER_ALERT_H

#include "controller/ctl.h"

#define ALARM_CONDITION "Expiring" /* of a Certificate; certificate_alarm.c */

/* A certificate is concerned now, or not any more. */
void alert_changed(struct controllers *ctl);

#endif
