/* SPDX-License-Identifier: PostgreSQL */
#include "state/notify.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "outside/template.h"
#include "pki/sum.h"
#include "state/receiver.h"

#define FILE_NAME    "notified"
#define LIST_MAX     ((size_t)1 << 20)
#define LINES_MAX    2000 /* then the older half is forgotten */
#define TEMPLATE_MAX ((size_t)64 << 10)
#define MESSAGE_MAX  1200 /* bytes; what a chat shows of a text */
#define TEXT_MAX     ((size_t)16 << 10)
#define WORDS	     10

static const char own_template[] = "{\"text\": \"{text|slack}\"}";

struct note {
	enum notify_event event;
	const char *rotation, *phase, *direction; /* "" for what is of no phase */
	const char *message;			  /* "" for none */
	const char *next;			  /* likewise */
	const char *text;
	const char *key; /* what makes it the same event */
};

/* ---- the text */

static void words_of(struct template_word words[WORDS], const struct session *session,
		     const struct note *note, const char *at)
{
	const struct template_word all[WORDS] = {
		{"text", note->text},
		{"event", notify_event_name(note->event)},
		{"environment", session->env->name},
		{"phase", note->phase},
		{"direction", note->direction},
		{"by", session->by},
		{"at", at},
		{"message", note->message},
		{"next", note->next},
		{"rotation", note->rotation},
	};

	memcpy(words, all, sizeof(all));
}

/* At least the own template; name: for messages. */
static int read_template(struct buf *out, const char **name, const struct session *session,
			 const struct notify *notify, struct err *err)
{
	char *path;
	int rc;

	*name = notify->template ? notify->template : "the program's own template";
	if (!notify->template) {
		buf_adds(out, own_template);
		return buf_check(out, *name, err);
	}
	path = path_join(session->config->root, notify->template);
	rc = path ? file_read(out, path, TEMPLATE_MAX, err) : err_nomem(err);
	free(path);
	return err_blame(err, rc, ERR_USAGE);
}

static int make_body(struct buf *out, const struct session *session, const struct notify *notify,
		     const struct note *note, struct err *err)
{
	struct template_word words[WORDS];
	char at[SYS_TIME_SIZE];
	struct buf text;
	const char *name;
	int rc;

	sys_time_text(session->sys->now(session->sys), at);
	words_of(words, session, note, at);
	buf_init(&text, TEMPLATE_MAX);
	rc = read_template(&text, &name, session, notify, err);
	rc = rc ? rc : template_fill(out, text.data, text.len, name, words, WORDS, err);
	buf_release(&text);
	return rc;
}

/* ---- what was told already */

/* 32 hex digits over all that makes an event what it is. */
static int key_of(char out[SUM_SIZE], const struct session *session, const struct notify *notify,
		  const struct note *note, struct err *err)
{
	struct buf text;
	int rc;

	buf_init(&text, BUF_TEXT_MAX);
	buf_addf(&text, "%s %zu %s %s %s %s %s", session->env->name, notify->number,
		 notify_event_name(note->event), note->rotation, note->phase, note->direction,
		 note->key);
	rc = buf_check(&text, "a notification's key", err);
	rc = rc ? rc : sum_text(out, text.data, text.len, err);
	if (!rc) {
		memmove(out, strchr(out, ':') + 1, 32);
		out[32] = '\0';
	}
	buf_release(&text);
	return rc;
}

/* What cannot be read was not told. */
static bool was_told(const char *path, const char *key)
{
	struct buf text;
	bool found;

	buf_init(&text, LIST_MAX);
	(void)file_read(&text, path, LIST_MAX, NULL);
	found = strstr(text.data, key) != NULL;
	buf_release(&text);
	return found;
}

static void forget_older(const char *path)
{
	struct buf text;
	size_t lines = 0, skip;
	const char *at;

	buf_init(&text, LIST_MAX);
	if (file_read(&text, path, LIST_MAX, NULL)) {
		buf_release(&text);
		return;
	}
	for (at = text.data; *at; at++)
		lines += *at == '\n';
	skip = lines > LINES_MAX ? lines / 2 : 0;
	for (at = text.data; skip && *at; at++)
		skip -= *at == '\n';
	if (at > text.data)
		(void)file_replace(path, NULL, at, strlen(at), 0600, NULL);
	buf_release(&text);
}

/*
 * Asked before anything is sent: a timer that could not remember what it told would tell it every
 * minute.
 */
static int can_note(const struct session *session, const char *path, struct err *err)
{
	int rc = session_make_local(session, NULL, err);
	int fd = rc ? -1
		    : open(path,
			   O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
			   0600);

	if (!rc && fd < 0)
		rc = err_sys(err, errno, "cannot remember in %s what was told", path);
	if (fd >= 0)
		(void)close(fd);
	return rc;
}

static int note_told(struct session *session, const char *path, const char *key, struct err *err)
{
	char line[128], at[SYS_TIME_SIZE];

	sys_time_text(session->sys->now(session->sys), at);
	(void)snprintf(line, sizeof(line), "%s %s\n", key, at);
	if (session->lock >= 0)
		forget_older(path);
	return file_append_sync(path, line, strlen(line), err);
}

/* ---- sending */

/* No stop request ends it: who stopped a phase waits that long at most. */
static int post(struct session *session, const struct receiver *receiver, const char *key,
		const struct buf *body, int64_t ms, struct err *err)
{
	const struct http_options options = {.sys = session->sys, .ca_file = receiver->ca_file};
	const struct webhook webhook = {.target = &receiver->target,
					.key = key,
					.body = body->data,
					.body_len = body->len,
					.deadline_ms = ms,
					.tries = 2};
	struct webhook_result result;
	struct http *http;
	int rc = http_new(&http, &options, err);

	if (rc)
		return rc;
	rc = webhook_post(&result, http, &webhook, err);
	http_free(http);
	return rc;
}

static int tell(struct session *session, const struct notify *notify, const struct note *note,
		int64_t ms, struct err *err)
{
	char *path = path_join(session->local_dir, FILE_NAME);
	struct receiver receiver;
	char key[SUM_SIZE];
	struct buf body;
	int rc = path ? key_of(key, session, notify, note, err) : err_nomem(err);

	buf_init(&body, WEBHOOK_BODY_MAX);
	if (!rc && !was_told(path, key)) {
		rc = can_note(session, path, err);
		rc = rc ? rc : make_body(&body, session, notify, note, err);
		rc = rc ? rc : receiver_open(&receiver, session, &notify->webhook, err);
		if (!rc) {
			rc = post(session, &receiver, key, &body, ms, err);
			receiver_release(&receiver);
		}
		rc = rc ? rc : note_told(session, path, key, err);
	}
	buf_release(&body);
	free(path);
	return rc;
}

static size_t count_of(const struct notifies *list, enum notify_event event)
{
	size_t count = 0;

	for (size_t i = 0; i < list->count; i++)
		count += list->items[i].events[event];
	return count;
}

/* Each of those who want to know gets an even part of the time that is left. */
static void tell_all(struct session *session, struct note *note, const struct buf *text)
{
	const struct notifies *list = &session->env->notify;
	int64_t began = session->sys->mono_ms(session->sys);
	size_t more = count_of(list, note->event);

	note->text = text->data;
	for (size_t i = 0; i < list->count; i++) {
		int64_t left = NOTIFY_MS - (session->sys->mono_ms(session->sys) - began);
		int64_t ms;
		struct err err = {0};

		if (!list->items[i].events[note->event])
			continue;
		ms = left / (int64_t)more--;
		if (tell(session, &list->items[i], note, ms > 1 ? ms : 1, &err))
			log_line(session->log, LOG_WARNING,
				 "nobody was told that %s (notify[%zu]): %s", note->text,
				 list->items[i].number, err.msg);
	}
}

/* ---- the events */

/* "poc: trust", "poc: the revert of trust" */
static void begin_text(struct buf *out, const struct session *session, const struct note *note,
		       enum direction direction)
{
	buf_addf(out, "%s: %s%s", session->env->name,
		 direction == DIRECTION_BACK ? "the revert of " : "", note->phase);
}

/*
 * How long something is waited for, or how many are missing, makes it no other event. "db3" and
 * "r7" are names.
 */
static void add_without_numbers(struct buf *out, const char *text)
{
	bool name = false;

	for (; *text; text++) {
		if (!isdigit((unsigned char)*text))
			name = isalpha((unsigned char)*text);
		if (name || !isdigit((unsigned char)*text))
			buf_addc(out, *text);
	}
}

/* As much of a message as fits, cut where a character ends. */
static void add_message(struct buf *out, const char *message)
{
	size_t len = strlen(message);

	if (len > MESSAGE_MAX) {
		len = MESSAGE_MAX;
		while (len && ((unsigned char)message[len] & 0xc0) == 0x80)
			len--;
	}
	buf_add(out, message, len);
	if (message[len])
		buf_adds(out, " …");
}

void notify_phase(struct notify_phase *out, const struct session *session,
		  const struct transition *row)
{
	const struct store *store = &session->store;
	const struct under_way *under_way = &store->under_way;
	const char *since = under_way->active && under_way->since
				    ? under_way->since
				    : js_str(store_last(store, NULL), "at", "");

	*out = (struct notify_phase){.row = *row};
	(void)snprintf(out->rotation, sizeof(out->rotation), "%s",
		       store->rotation ? store->rotation : "");
	(void)snprintf(out->since, sizeof(out->since), "%s", since);
}

static struct note note_of(const struct notify_phase *phase, enum notify_event event)
{
	return (struct note){.event = event,
			     .rotation = phase->rotation,
			     .phase = phase_name(phase->row.phase),
			     .direction = direction_name(phase->row.direction),
			     .message = "",
			     .next = "",
			     .key = phase->since};
}

void notify_start(struct session *session, const struct notify_phase *phase)
{
	struct note note = note_of(phase, NOTIFY_START);
	size_t name = session->by ? strcspn(session->by, "<") : 0;
	struct buf text;

	buf_init(&text, TEXT_MAX);
	begin_text(&text, session, &note, phase->row.direction);
	buf_adds(&text, " begins");
	/* without the address: chats take what stands in angle brackets for a link */
	if (name > 1)
		buf_addf(&text, ", by %.*s", (int)name - 1, session->by);
	tell_all(session, &note, &text);
	buf_release(&text);
}

void notify_end(struct session *session, const struct notify_phase *phase)
{
	struct note note = note_of(phase, NOTIFY_END);
	struct buf text;
	char next[128];

	buf_init(&text, TEXT_MAX);
	begin_text(&text, session, &note, phase->row.direction);
	buf_addf(&text, " is complete; now %s", state_name(phase->row.to));
	(void)snprintf(next, sizeof(next), "certrotate next --env %s", session->env->name);
	note.next = phase->row.to == STATE_IDLE ? "" : next;
	tell_all(session, &note, &text);
	buf_release(&text);
}

static bool is_failure(int code)
{
	return code == ERR_FAIL || code == ERR_NOENT || code == ERR_MACHINE || code == ERR_DRIFT;
}

void notify_stopped(struct session *session, const struct notify_phase *phase, bool begun,
		    const struct err *why)
{
	bool waits = why->code == ERR_GATE;
	struct note note = note_of(phase, waits ? NOTIFY_WAITING : NOTIFY_FAILURE);
	struct buf text, key;
	char next[128];

	if (!waits && (!begun || !is_failure(why->code)))
		return;
	buf_init(&text, TEXT_MAX);
	buf_init(&key, TEXT_MAX);
	begin_text(&text, session, &note, phase->row.direction);
	buf_adds(&text, waits ? " waits: " : " failed: ");
	add_message(&text, why->msg);
	(void)snprintf(next, sizeof(next), "certrotate %s --env %s",
		       direction_verb(phase->row.direction), session->env->name);
	buf_addf(&key, "%s ", phase->since);
	add_without_numbers(&key, why->msg);
	note.message = why->msg;
	note.next = why->hint[0] ? why->hint : next;
	note.key = key.data;
	tell_all(session, &note, &text);
	buf_release(&text);
	buf_release(&key);
}

void notify_expiring(struct session *session, const char *subject, int64_t when,
		     const char *threshold)
{
	int64_t left = when - session->sys->now(session->sys);
	struct note note = {.event = NOTIFY_EXPIRING, .rotation = "", .phase = "", .direction = ""};
	char at[SYS_TIME_SIZE], span[64], next[128];
	struct buf text, key;

	buf_init(&text, TEXT_MAX);
	buf_init(&key, TEXT_MAX);
	sys_time_text(when, at);
	sys_duration_text(left < 0 ? -left : left, span, sizeof(span));
	buf_addf(&text, left < 0 ? "%s: %s expired %s ago, at %s" : "%s: %s expires in %s, at %s",
		 session->env->name, subject, span, at);
	(void)snprintf(next, sizeof(next), "certrotate next --env %s", session->env->name);
	buf_addf(&key, "%s %s %s", subject, at, threshold);
	note.message = text.data;
	note.next = next;
	note.key = key.data;
	tell_all(session, &note, &text);
	buf_release(&text);
	buf_release(&key);
}

/* ---- before anything begins */

/* With a quote and a line end in each value: a word that does not stand between quotes shows. */
static int check_template(const struct session *session, const struct notify *notify,
			  struct err *err)
{
	const char *any = "\"\n";
	const struct note note = {.event = NOTIFY_FAILURE,
				  .rotation = any,
				  .phase = any,
				  .direction = any,
				  .message = any,
				  .next = any,
				  .text = any,
				  .key = ""};
	struct buf body;
	int rc;

	buf_init(&body, WEBHOOK_BODY_MAX);
	rc = make_body(&body, session, notify, &note, err);
	buf_release(&body);
	return rc;
}

static int say_untold(struct findings *out, const struct notify *notify, const struct err *why,
		      struct err *err)
{
	char subject[32];

	(void)snprintf(subject, sizeof(subject), "notify[%zu]", notify->number);
	return findings_add(out, "notify", SEVERITY_WARNING, subject, why->hint, err,
			    "nobody will be told: %s", why->msg);
}

static int check_receiver(struct findings *out, const struct session *session,
			  const struct notify *notify, struct err *err)
{
	struct receiver receiver;
	struct err why = {0};
	int rc = receiver_open(&receiver, session, &notify->webhook, &why);

	if (!rc) {
		receiver_release(&receiver);
		return 0;
	}
	if (rc == ERR_MACHINE)
		return err_set(err, rc, "%s", why.msg);
	return say_untold(out, notify, &why, err);
}

int notify_check(struct findings *out, const struct session *session, bool begun, struct err *err)
{
	const struct notifies *list = &session->env->notify;
	int rc = 0;

	for (size_t i = 0; i < list->count && !rc; i++) {
		const struct notify *notify = &list->items[i];
		struct err why = {0};

		rc = check_template(session, notify, &why);
		if (!rc && notify->webhook.url)
			rc = http_check_url(notify->webhook.url, "url", &why);
		if (rc == ERR_USAGE && begun) {
			rc = say_untold(out, notify, &why, err);
		} else if (rc) {
			if (err)
				*err = why;
			err_prefix(err, "%s: notify[%zu]", session->config->file, notify->number);
		} else {
			rc = check_receiver(out, session, notify, err);
		}
	}
	return rc;
}
