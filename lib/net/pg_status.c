/* SPDX-License-Identifier: PostgreSQL */
#include <stdlib.h>
#include <string.h>

#include "net/pg.h"

enum column {
	COLUMN_RECOVERY,
	COLUMN_FULL_VIEW,
	COLUMN_RECEIVER,
	COLUMN_SENDER,
	COLUMN_REPLICAS,
	COLUMN_STREAMING,
	COLUMN_ARCHIVE_FAILURES,
	COLUMN_ARCHIVE_FAILS,
	COLUMN_ARCHIVE_AGO,
	COLUMN_ARCHIVE_WAL,
	COLUMN_SERIAL,
	COLUMN_VERSION,
	COLUMN__MAX
};

const char *pg_status_query(void)
{
	return "SELECT pg_catalog.pg_is_in_recovery(),"
	       " pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE'),"
	       " (SELECT status FROM pg_catalog.pg_stat_wal_receiver LIMIT 1),"
	       " (SELECT sender_host FROM pg_catalog.pg_stat_wal_receiver LIMIT 1),"
	       " (SELECT count(*) FROM pg_catalog.pg_stat_replication),"
	       " (SELECT count(*) FROM pg_catalog.pg_stat_replication WHERE state = 'streaming'),"
	       " a.failed_count, coalesce(a.last_failed_time > a.last_archived_time,"
	       "  a.last_failed_time IS NOT NULL),"
	       " coalesce(extract(epoch FROM pg_catalog.now() - a.last_failed_time)::bigint, -1),"
	       " a.last_failed_wal, s.client_serial, s.version"
	       " FROM (SELECT pg_catalog.pg_backend_pid() AS me) AS own"
	       " CROSS JOIN pg_catalog.pg_stat_archiver AS a"
	       " LEFT JOIN pg_catalog.pg_stat_ssl AS s ON s.pid = own.me";
}

static void copy(char *out, size_t size, const char *text)
{
	(void)strncpy(out, text, size - 1);
	out[size - 1] = '\0';
}

int pg_status_read(struct pg_status *out, const struct pg_rows *rows, struct err *err)
{
	const char *cells[COLUMN__MAX];

	*out = (struct pg_status){0};
	if (rows->error)
		return err_set(err, ERR_FAIL, "state of the server: %s", rows->error);
	for (size_t i = 0; i < COLUMN__MAX; i++) {
		cells[i] = pg_cell(rows, 0, i);
		if (!cells[i])
			return err_set(
				err, ERR_FAIL,
				"state of the server: the answer has %zu rows of %zu columns",
				rows->rows, rows->columns);
	}
	out->in_recovery = cells[COLUMN_RECOVERY][0] == 't';
	out->full_view = cells[COLUMN_FULL_VIEW][0] == 't';
	out->streaming = !strcmp(cells[COLUMN_RECEIVER], "streaming");
	copy(out->sender_host, sizeof(out->sender_host), cells[COLUMN_SENDER]);
	out->replicas = (unsigned)strtoul(cells[COLUMN_REPLICAS], NULL, 10);
	out->replicas_streaming = (unsigned)strtoul(cells[COLUMN_STREAMING], NULL, 10);
	out->archive_failures = strtoll(cells[COLUMN_ARCHIVE_FAILURES], NULL, 10);
	out->archive_fails = cells[COLUMN_ARCHIVE_FAILS][0] == 't';
	out->archive_failed_ago = strtoll(cells[COLUMN_ARCHIVE_AGO], NULL, 10);
	copy(out->archive_failed_wal, sizeof(out->archive_failed_wal), cells[COLUMN_ARCHIVE_WAL]);
	copy(out->client_serial, sizeof(out->client_serial), cells[COLUMN_SERIAL]);
	copy(out->tls_version, sizeof(out->tls_version), cells[COLUMN_VERSION]);
	return 0;
}
