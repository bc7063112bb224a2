/* SPDX-License-Identifier: PostgreSQL */
/* PostgreSQL's messages before the first query: protocol 3.0, "Message Formats" of its manual. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "net/probe_impl.h"

#define PROTOCOL_3_0	 0x00030000U
#define MESSAGE_SANE_MAX 30000U /* libpq takes longer ones for an error text without fields */
#define TEXT_MAX	 600
#define AUTH_OK		 0U

static void put32(unsigned char *at, size_t value)
{
	at[0] = (unsigned char)(value >> 24);
	at[1] = (unsigned char)(value >> 16);
	at[2] = (unsigned char)(value >> 8);
	at[3] = (unsigned char)value;
}

static uint32_t get32(const unsigned char *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

int probe_start_message(struct probe_conn *conn)
{
	const char *database = conn->target->database ? conn->target->database : "postgres";
	const char *const texts[] = {
		"user",	      conn->target->user, "database", database, "application_name",
		"certrotate", "client_encoding",  "UTF8"};
	size_t len = 8;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		size_t add = strlen(texts[i]) + 1;

		if (add > sizeof(conn->start) - 1 - len)
			return ERR_FAIL;
		memcpy(conn->start + len, texts[i], add);
		len += add;
	}
	conn->start[len++] = '\0';
	put32(conn->start, len);
	put32(conn->start + 4, PROTOCOL_3_0);
	conn->start_len = len;
	return 0;
}

static void keep_text(struct probe_result *result, const char *text, size_t len)
{
	struct buf buf;

	if (result->server_message)
		return;
	buf_init(&buf, (size_t)4 * TEXT_MAX + 1);
	buf_add_safe(&buf, text, len > TEXT_MAX ? TEXT_MAX : len);
	result->server_message = buf_detach(&buf);
}

/* Fields of an ErrorResponse: a type byte and a text each, 0 at the end. */
static void read_fields(struct probe_result *result, const unsigned char *at, size_t len)
{
	while (len > 1 && at[0]) {
		const unsigned char *end = memchr(at + 1, 0, len - 1);
		size_t text = end ? (size_t)(end - at) - 1 : len - 1;

		if (at[0] == 'C' && text == 5)
			memcpy(result->sqlstate, at + 1, 5);
		if (at[0] == 'M')
			keep_text(result, (const char *)at + 1, text);
		if (!end)
			return;
		len -= text + 2;
		at = end + 1;
	}
}

static bool read_error(struct probe_conn *conn, bool all)
{
	struct probe_result *result = conn->result;
	uint32_t len = get32(conn->answer + 1);
	size_t room = sizeof(conn->answer);

	if (len < 4 || len > MESSAGE_SANE_MAX) {
		/* protocol 2: a text that ends with a 0; the postmaster still sends it in need */
		const unsigned char *end = memchr(conn->answer + 1, 0, conn->answer_len - 1);

		if (!end && !all && conn->answer_len < room)
			return false;
		keep_text(result, (const char *)conn->answer + 1,
			  end ? (size_t)(end - conn->answer) - 1 : conn->answer_len - 1);
	} else {
		size_t want = (size_t)len + 1 < room ? (size_t)len + 1 : room;

		if (conn->answer_len < want && !all)
			return false;
		read_fields(result, conn->answer + 5,
			    (conn->answer_len < want ? conn->answer_len : want) - 5);
	}
	result->login = PROBE_LOGIN_ERROR;
	return true;
}

bool probe_answer_read(struct probe_conn *conn, bool all)
{
	uint32_t len;

	if (!conn->answer_len)
		return false;
	if (conn->answer[0] != 'E' && conn->answer[0] != 'R')
		return true;
	if (conn->answer_len < 5) {
		if (all && conn->answer[0] == 'E')
			conn->result->login = PROBE_LOGIN_ERROR;
		return all;
	}
	if (conn->answer[0] == 'E')
		return read_error(conn, all);
	len = get32(conn->answer + 1);
	if (len < 8 || len > MESSAGE_SANE_MAX)
		return true;
	if (conn->answer_len < 9)
		return all;
	conn->result->login = get32(conn->answer + 5) == AUTH_OK ? PROBE_LOGIN_OK
								 : PROBE_LOGIN_CONTINUE;
	return true;
}
