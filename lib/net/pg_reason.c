/* SPDX-License-Identifier: PostgreSQL */
/*
 * libpq tells why a connection failed in a text only. The texts are those of PostgreSQL 13 to 18
 * (src/interfaces/libpq: fe-connect.c, fe-secure-openssl.c, fe-secure-common.c, fe-misc.c) in the
 * C locale; an error of the server comes with its SQLSTATE because pg.c asks for verbose errors.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "net/alert.h"
#include "net/pg_impl.h"

#define SQLSTATE_LEN  5
#define PASSWORD_TEXT "the server asks for a password or another method than the certificate"

static const struct {
	const char *part;
	enum pg_outcome outcome;
} texts[] = {
	{"certificate verify failed", PG_NOT_TRUSTED},
	{"does not match host name", PG_NAME_MISMATCH},
	{"could not get server's host name from server certificate", PG_NAME_MISMATCH},
	{"certificate's name entry", PG_NAME_MISMATCH},
	{"certificate's name contains", PG_NAME_MISMATCH},
	{"SSL certificate's", PG_NAME_MISMATCH},
	{"server does not support SSL", PG_NOT_TLS},
	{"invalid response to SSL negotiation", PG_NOT_TLS},
	{"unencrypted data after SSL response", PG_NOT_TLS},
	{"error response during SSL exchange", PG_NOT_TLS},
	{"could not load private key file", PG_LOCAL},
	{"could not read certificate file", PG_LOCAL},
	{"could not open certificate file", PG_LOCAL},
	{"does not match private key file", PG_LOCAL},
	{"private key file", PG_LOCAL},
	{"root certificate file", PG_LOCAL},
	{"out of memory", PG_LOCAL},
	{"could not create socket", PG_LOCAL},
	{"wrong version number", PG_NOT_TLS},
	{"Connection refused", PG_UNREACHABLE},
	{"No route to host", PG_UNREACHABLE},
	{"Host is unreachable", PG_UNREACHABLE},
	{"Network is unreachable", PG_UNREACHABLE},
	{"Cannot assign requested address", PG_UNREACHABLE},
	{"Connection timed out", PG_UNREACHABLE},
	{"server closed the connection unexpectedly", PG_CLOSED},
	{"SSL connection has been closed unexpectedly", PG_CLOSED},
	{"Connection reset by peer", PG_CLOSED},
	{"Broken pipe", PG_CLOSED},
	{"EOF detected", PG_CLOSED},
	{"unexpected eof while reading", PG_CLOSED},
	{"SSL error: ", PG_TLS_FAILED},
	{"SSL SYSCALL error: ", PG_CLOSED},
};

/* What follows libpq's own 'connection to server at "…", port … failed: '. */
static const char *reason_of(const char *text)
{
	static const char failed[] = " failed: ";
	const char *at = str_starts(text, "connection to server") ? strstr(text, failed) : NULL;

	return at ? at + sizeof(failed) - 1 : text;
}

/* The SQLSTATE in "FATAL:  28000: no pg_hba.conf entry…" (the first word may be translated). */
static const char *find_sqlstate(const char *reason)
{
	const char *end = strchr(reason, '\n');
	const char *at = strstr(reason, ":  ");

	if (!at || (end && at > end))
		return NULL;
	at += 3;
	for (int i = 0; i < SQLSTATE_LEN; i++) {
		if (!isdigit((unsigned char)at[i]) && !isupper((unsigned char)at[i]))
			return NULL;
	}
	return str_starts(at + SQLSTATE_LEN, ": ") ? at : NULL;
}

static char *one_line(const char *text)
{
	struct buf buf;

	buf_init(&buf, (size_t)4 * PG_TEXT_MAX + 1);
	buf_add_safe(&buf, text, pg_line_len(text));
	return buf_detach(&buf);
}

static bool is_alert(struct pg_result *result, const char *reason)
{
	const char *at = strstr(reason, " alert ");
	char *text = at ? one_line(at + strlen(" alert ")) : NULL;

	if (text)
		(void)strncpy(result->alert, text, sizeof(result->alert) - 1);
	free(text);
	return at != NULL;
}

static enum pg_outcome classify(struct pg_result *result, const struct pg_failure *failure,
				const char *reason, struct err *err)
{
	const char *state = find_sqlstate(reason);

	if (state || failure->needs_password) {
		if (state)
			memcpy(result->sqlstate, state, SQLSTATE_LEN);
		result->server_message = state ? one_line(state + SQLSTATE_LEN + 2)
					       : strdup(PASSWORD_TEXT);
		if (!result->server_message)
			(void)err_nomem(err);
		/* before TLS anybody on the way may have said it */
		return failure->tls_up ? PG_REFUSED_SERVER : PG_NOT_TLS;
	}
	if (strstr(reason, "SSL error: ") && is_alert(result, reason))
		return alert_refuses(alert_number(result->alert)) ? PG_REFUSED_TLS : PG_TLS_FAILED;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (strstr(reason, texts[i].part))
			return texts[i].outcome;
	}
	if (failure->tls_up &&
	    (strstr(reason, "authentication method") || strstr(reason, "channel binding"))) {
		result->server_message = strdup(PASSWORD_TEXT);
		return PG_REFUSED_SERVER;
	}
	return PG_CLOSED;
}

static char *describe(const struct pg_result *result, const struct pg_failure *failure,
		      const char *label, const char *line)
{
	switch (result->outcome) {
	case PG_REFUSED_TLS:
		return failure->has_cert
			       ? str_fmt("%s: client certificate refused: %s", label, result->alert)
			       : str_fmt("%s: refused without a client certificate: %s", label,
					 result->alert);
	case PG_REFUSED_SERVER:
		return str_fmt("%s: %s%s%s%s%s", label,
			       failure->has_cert ? "client certificate accepted, " : "",
			       "PostgreSQL refuses the login: ", result->server_message,
			       result->sqlstate[0] ? ", SQLSTATE " : "", result->sqlstate);
	case PG_NOT_TRUSTED:
		return str_fmt("%s: server certificate not trusted: %s", label, line);
	case PG_NAME_MISMATCH:
		return str_fmt("%s: wrong name: %s", label, line);
	case PG_NOT_TLS:
		return str_fmt("%s: no TLS: %s", label, line);
	case PG_LOCAL:
		return str_fmt("%s: login could not be tried: %s", label, line);
	case PG_UNREACHABLE:
		return str_fmt("%s: cannot connect: %s", label, line);
	case PG_CLOSED:
		return str_fmt("%s: connection lost, %s: %s", label,
			       failure->tls_up ? "and it is not known whether the client "
						 "certificate was accepted"
					       : "before TLS was up",
			       line);
	case PG_TLS_FAILED:
	case PG_ACCEPTED:
	case PG_NO_ADDRESS:
	case PG_TIMEOUT:
	case PG_OUTCOME__MAX:
		break;
	}
	return str_fmt("%s: %s", label, line);
}

int pg_reason(struct pg_result *result, const struct pg_failure *failure, const char *label,
	      struct err *err)
{
	const char *reason = reason_of(failure->text);
	char *line = one_line(reason);

	result->outcome = classify(result, failure, reason, err);
	if (line && (result->outcome != PG_REFUSED_SERVER || result->server_message)) {
		free(result->message);
		result->message = describe(result, failure, label, line);
	}
	free(line);
	return result->message ? 0 : err_nomem(err);
}
