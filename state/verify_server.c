/* SPDX-License-Identifier: PostgreSQL */
/* What a server says of itself once somebody is in: its role, replication and archiving. */
#include "state/verify_impl.h"

static int judge_standby(struct subject *subject, const struct pg_status *status, struct err *err)
{
	if (!status->streaming && !status->full_view)
		return verify_say(subject, CHECK_REPLICATION, SEVERITY_INFO, NULL,
				  "grant pg_read_all_stats to the login user", err,
				  "a standby; whether it streams is not shown to this user");
	verify_outcome(subject, CHECK_REPLICATION, status->streaming);
	if (status->streaming)
		return 0;
	return verify_say(subject, CHECK_REPLICATION, check_severity(CHECK_REPLICATION), NULL,
			  "read the standby's log: its walreceiver cannot log in, or the primary "
			  "is down",
			  err, "the standby does not stream");
}

/* A standby that is no endpoint shows at its primary alone. A backup streams too, for a while. */
static int judge_primary(struct subject *subject, const struct pg_status *status,
			 const struct baseline_figures *before, struct err *err)
{
	long long lost = before ? (long long)before->standbys_streaming - status->replicas_streaming
				: 0;

	if (!status->full_view || (!before && !status->replicas))
		return 0;
	verify_outcome(subject, CHECK_REPLICATION, lost <= 0);
	if (lost <= 0)
		return 0;
	return verify_say(subject, CHECK_REPLICATION, SEVERITY_WARNING, NULL,
			  "look at pg_stat_replication there, and at the standbys' logs", err,
			  "%u standby%s stream%s from it, before the phase it was %lld",
			  status->replicas_streaming, status->replicas_streaming == 1 ? "" : "s",
			  status->replicas_streaming == 1 ? "s" : "",
			  (long long)before->standbys_streaming);
}

static int say_archiver(struct subject *subject, const struct pg_status *status,
			enum severity severity, const char *what, struct err *err)
{
	char ago[32];

	sys_duration_text(status->archive_failed_ago, ago, sizeof(ago));
	return verify_say(subject, CHECK_ARCHIVER, severity, NULL,
			  "read the server's log: archive_command may use a certificate, or a "
			  "bundle, of this chain",
			  err, "%s (last for %s, %s ago)", what, status->archive_failed_wal, ago);
}

static int judge_archiver(struct subject *subject, const struct pg_status *status,
			  const struct baseline_figures *before, struct err *err)
{
	int64_t had = before ? before->archive_failures : 0;
	/* Fewer than before: its statistics were reset meanwhile. */
	int64_t more = status->archive_failures >= had ? status->archive_failures - had
						       : status->archive_failures;

	if (!status->archive_fails) {
		verify_outcome(subject, CHECK_ARCHIVER, true);
		if (!before || !more)
			return 0;
		return verify_say(subject, CHECK_ARCHIVER, SEVERITY_INFO, NULL, NULL, err,
				  "archiving failed %lld time%s since the phase began, and works "
				  "again",
				  (long long)more, more == 1 ? "" : "s");
	}
	if (!before)
		return say_archiver(subject, status, SEVERITY_WARNING, "archiving fails", err);
	if (before->archive_fails || !more)
		return say_archiver(subject, status, SEVERITY_WARNING,
				    "archiving fails, as it did before the phase", err);
	verify_outcome(subject, CHECK_ARCHIVER, false);
	return say_archiver(subject, status, check_severity(CHECK_ARCHIVER),
			    "archiving fails since the phase began", err);
}

int judge_server(struct look *look, struct subject *subject, const struct pg_rows *rows,
		 struct json *entry, struct err *err)
{
	const struct baseline *all = look->in->before;
	const struct baseline_figures *before = all ? baseline_find(all, subject->place) : NULL;
	struct pg_status status;
	struct err unread = {0};
	int rc;

	subject->looked_inside = true;
	if (pg_status_read(&status, rows, &unread))
		return verify_say(subject, CHECK_REPLICATION, SEVERITY_WARNING, NULL, NULL, err,
				  "logged in, but its state cannot be asked for: %s", unread.msg);
	(void)js_set_str(entry, "role", status.in_recovery ? "standby" : "primary");
	(void)js_set_str(entry, "client_serial", status.client_serial);
	(void)js_set_int(entry, "archive_failures", status.archive_failures);
	(void)js_set_bool(entry, "archive_fails", status.archive_fails);
	(void)js_set_int(entry, "standbys_streaming", status.replicas_streaming);
	if (status.in_recovery)
		(void)js_set_bool(entry, "streams", status.streaming);
	rc = status.in_recovery ? judge_standby(subject, &status, err)
				: judge_primary(subject, &status, before, err);
	return rc ? rc : judge_archiver(subject, &status, before, err);
}
