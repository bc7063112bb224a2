/* SPDX-License-Identifier: PostgreSQL */
/* The rounds of looking, and what they come to in the end. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "state/verify_impl.h"
#include "base/strs.h"

#define PAUSE_FIRST_MS	 250
#define PAUSE_LONGEST_MS 5000

int64_t verify_pause_ms(unsigned round, unsigned random)
{
	int64_t pause = PAUSE_FIRST_MS;

	while (round-- > 1 && pause < PAUSE_LONGEST_MS)
		pause *= 2;
	pause = pause > PAUSE_LONGEST_MS ? PAUSE_LONGEST_MS : pause;
	return pause / 2 + (int64_t)random % (pause / 2 + 1);
}

int verify_say(struct subject *subject, enum check check, enum severity severity,
	       const char *address, const char *advice, struct err *err, const char *fmt, ...)
{
	/* Who does not answer may have been looked for at the wrong place. */
	bool place = check == CHECK_ENDPOINT;
	bool which = address && address[0] && (place || subject->addresses > 1);
	char where[RESOLVE_TEXT_SIZE + 32] = "";
	char *text;
	va_list ap;
	int rc;

	va_start(ap, fmt);
	text = str_vfmt(fmt, ap);
	va_end(ap);
	if (!text)
		return err_nomem(err);
	if (place || !subject->alone)
		(void)snprintf(where, sizeof(where), "%s%sport %u: ", which ? address : "",
			       which ? " " : "", subject->endpoint->port);
	else if (which)
		(void)snprintf(where, sizeof(where), "%s: ", address);
	if (severity == SEVERITY_BLOCK)
		subject->differs = true;
	rc = findings_add(&subject->findings, check_name(check), severity, subject->endpoint->name,
			  advice, err, "%s%s", where, text);
	free(text);
	return rc;
}

void verify_outcome(struct subject *subject, enum check check, bool held)
{
	if (!held)
		subject->outcomes[check] = OUTCOME_FAILED;
	else if (subject->outcomes[check] == OUTCOME_NONE)
		subject->outcomes[check] = OUTCOME_HELD;
}

static int choose_endpoints(struct look *look, struct err *err)
{
	const struct endpoints *endpoints = &look->endpoints;
	int rc = session_endpoints(&look->endpoints, look->session, look->in->skip, err);

	for (size_t i = 0; i < endpoints->count && !rc; i++) {
		const struct endpoint *endpoint = &endpoints->items[i];

		rc = strs_addf(&look->places, err,
			       strchr(endpoint->name, ':') ? "[%s]:%u" : "%s:%u", endpoint->name,
			       endpoint->port);
	}
	return rc;
}

static int make_subjects(struct look *look, struct err *err)
{
	struct strmap names = STRMAP_INIT;
	int rc = 0;

	look->subjects = calloc(look->endpoints.count + 1, sizeof(*look->subjects));
	look->due = calloc(look->endpoints.count + 1, sizeof(*look->due));
	if (!look->subjects || !look->due)
		return err_nomem(err);
	for (size_t i = 0; i < look->endpoints.count && !rc; i++) {
		struct subject *subject = &look->subjects[i];
		size_t first;

		subject->endpoint = &look->endpoints.items[i];
		subject->place = look->places.items[i];
		subject->alone = !strmap_get(&names, subject->endpoint->name, &first);
		if (!subject->alone)
			look->subjects[first].alone = false;
		else
			rc = strmap_put(&names, subject->endpoint->name, i, err);
		look->due[look->due_count++] = i;
	}
	strmap_release(&names);
	return rc;
}

static void wake(struct loop_timer *timer, void *ctx)
{
	(void)timer;
	loop_quit(ctx);
}

static int pause_a_moment(struct look *look, unsigned round, int64_t left_ms, struct err *err)
{
	struct sys *sys = look->session->sys;
	struct loop_timer timer = {0};
	unsigned random = 0;
	int rc = sys->random(sys, &random, sizeof(random), err);
	int64_t pause = verify_pause_ms(round, random);

	if (rc)
		return rc;
	loop_timer_set(look->loop, &timer, pause < left_ms ? pause : left_ms, wake, look->loop);
	rc = loop_run(look->loop, NULL, NULL, -1, err);
	loop_timer_del(&timer);
	if (!rc && loop_stop_count(look->session->stop))
		rc = err_set(err, ERR_STOPPED, "stopped while looking at the endpoints");
	return rc;
}

/* Looks until nothing differs that time may mend, or patience is at its end. */
static int look_in_rounds(struct look *look, struct err *err)
{
	const struct log *log = look->session->log;
	int64_t start = loop_now(look->loop), left;
	size_t all = look->endpoints.count;
	int rc = 0;

	log_progress(log, "verify: %zu endpoint%s", all, all == 1 ? "" : "s");
	for (unsigned round = 1; !rc && look->due_count; round++) {
		size_t differ = 0;

		rc = verify_look(look, err);
		for (size_t i = 0; i < look->due_count && !rc; i++) {
			if (look->subjects[look->due[i]].differs)
				look->due[differ++] = look->due[i];
		}
		look->due_count = differ;
		left = start + look->in->patience_ms - loop_now(look->loop);
		if (rc || !differ || left <= 0)
			break;
		log_progress(log, "verify: waiting for %zu of %zu endpoint%s", differ, all,
			     all == 1 ? "" : "s");
		rc = pause_a_moment(look, round, left, err);
	}
	log_progress(log, "%s", "");
	return rc;
}

int verify_count(struct verify_result *result, enum check check, enum want want,
		 const char *subject, bool held, struct err *err)
{
	struct verify_tally *tally = &result->tallies[check];
	size_t count = tally->stragglers.count;

	tally->want = want;
	tally->asked++;
	tally->held += held;
	/* Endpoints of one name follow one another in most configurations. */
	if (held || (count && !strcmp(tally->stragglers.items[count - 1], subject)))
		return 0;
	return strs_add(&tally->stragglers, subject, err);
}

static struct json *tallies_json(const struct verify_result *result)
{
	struct json *array = js_new_array();

	for (int c = 0; c < CHECK__MAX; c++) {
		const struct verify_tally *tally = &result->tallies[c];
		struct json *object, *stragglers;

		if (!tally->asked)
			continue;
		object = js_new_object();
		stragglers = js_new_array();
		for (size_t i = 0; i < tally->stragglers.count; i++)
			(void)js_push_str(stragglers, tally->stragglers.items[i]);
		(void)js_set_str(object, "check", check_name((enum check)c));
		(void)js_set_str(object, "expected", expect_text((enum check)c, tally->want));
		(void)js_set_int(object, "asked", (int64_t)tally->asked);
		(void)js_set_int(object, "held", (int64_t)tally->held);
		(void)js_set(object, "stragglers", stragglers);
		(void)js_push(array, object);
	}
	return array;
}

/* Nobody with a key to log in with: not being able to look is no proof, and is said. */
static int note_no_logins(const struct look *look, struct verify_result *out, struct err *err)
{
	size_t i = 0;

	while (i < look->endpoints.count && look->endpoints.items[i].protocol == ENDPOINT_TLS)
		i++;
	if (out->logins || look->in->no_login || i == look->endpoints.count)
		return 0;
	return findings_add(&out->findings, check_name(CHECK_NEW_CLIENT), SEVERITY_WARNING,
			    look->session->env->name,
			    "give login.user in certrotate.yml a certificate and a key in the "
			    "inventory",
			    err, "no client certificate with a key to log in with: nobody tried");
}

/* Where a finding's check stands in the table; what is no check of it comes last. */
static int rank(const struct finding *finding)
{
	int c = 0;

	while (c < CHECK__MAX && strcmp(check_name((enum check)c), finding->check) != 0)
		c++;
	return c;
}

/* Check by check, the worst first: what is alike stands together, endpoints in their order. */
static int put_in_order(struct findings *list, struct err *err)
{
	struct finding *sorted = calloc(list->count + 1, sizeof(*sorted));
	size_t n = 0;

	if (!sorted)
		return err_nomem(err);
	for (int c = 0; c <= CHECK__MAX; c++) {
		for (size_t i = 0; i < list->count; i++) {
			if (rank(&list->items[i]) == c)
				sorted[n++] = list->items[i];
		}
	}
	for (size_t i = 0; i < n; i++)
		list->items[i] = sorted[i];
	free(sorted);
	findings_sort(list);
	return 0;
}

static int gather(struct verify_result *out, struct look *look, struct err *err)
{
	struct json *leaves = js_new_array(), *logins = js_new_array();
	int rc = 0;

	for (size_t i = 0; i < look->endpoints.count && !rc; i++) {
		struct subject *subject = &look->subjects[i];

		for (size_t k = 0; k < js_count(subject->leaves); k++)
			(void)js_push(leaves, js_copy(js_at(subject->leaves, k)));
		for (size_t k = 0; k < js_count(subject->logins); k++)
			(void)js_push(logins, js_copy(js_at(subject->logins, k)));
		for (int c = 0; c < CHECK__MAX && !rc; c++) {
			if (subject->outcomes[c] != OUTCOME_NONE)
				rc = verify_count(out, (enum check)c,
						  look_wants(look, (enum check)c),
						  subject->endpoint->name,
						  subject->outcomes[c] == OUTCOME_HELD, err);
		}
		rc = rc ? rc : findings_take(&out->findings, &subject->findings, err);
		out->logins += subject->login_count;
	}
	rc = rc ? rc : note_no_logins(look, out, err);
	rc = rc ? rc : put_in_order(&out->findings, err);
	out->endpoints = look->endpoints.count;
	out->evidence = js_new_object();
	(void)js_set(out->evidence, "leaves", leaves);
	(void)js_set(out->evidence, "logins", logins);
	if (!rc && (!out->evidence || js_set(out->evidence, "checks", tallies_json(out))))
		rc = err_nomem(err);
	return rc;
}

static void look_release(struct look *look)
{
	for (size_t i = 0; look->subjects && i < look->endpoints.count; i++) {
		findings_release(&look->subjects[i].findings);
		js_free(look->subjects[i].leaves);
		js_free(look->subjects[i].logins);
	}
	free(look->subjects);
	free(look->due);
	verify_names_release(&look->names);
	loop_free(look->loop);
	strs_release(&look->places);
	endpoints_release(&look->endpoints);
}

int verify_run(struct verify_result *out, struct session *session, const struct verify_input *in,
	       struct err *err)
{
	struct look look = {.session = session, .in = in};
	int rc = loop_new(&look.loop, session->sys, session->stop, err);

	*out = (struct verify_result){0};
	rc = rc ? rc : choose_endpoints(&look, err);
	rc = rc ? rc : make_subjects(&look, err);
	rc = rc ? rc : verify_names_init(&look.names, in, err);
	rc = rc ? rc : look_in_rounds(&look, err);
	rc = rc ? rc : gather(out, &look, err);
	if (rc)
		verify_release(out);
	look_release(&look);
	return rc;
}

void verify_release(struct verify_result *result)
{
	findings_release(&result->findings);
	js_free(result->evidence);
	for (int c = 0; c < CHECK__MAX; c++)
		strs_release(&result->tallies[c].stragglers);
	*result = (struct verify_result){0};
}
