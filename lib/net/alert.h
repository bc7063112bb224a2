/* SPDX-License-Identifier: PostgreSQL */
/* TLS alerts by number and text: RFC 8446, section 6; the elder ones RFC 5246, section 7.2. */
#ifndef NET_ALERT_H
#define NET_ALERT_H

#include <stdbool.h>

/* "unknown ca": the RFC's names with spaces, as OpenSSL's reasons have them. */
const char *alert_text(int alert);
/* Whether such an alert, once our certificate was sent, speaks about that certificate. */
bool alert_refuses(int alert);
/* -1 where no alert has that text. */
int alert_number(const char *text);

#endif
