/* SPDX-License-Identifier: PostgreSQL */
/* Which hooks there are, and whose words they wait for: see hooks.h. */
#include "state/hooks.h"

#include <stdlib.h>
#include <string.h>

#include "state/gates.h"
#include "state/hooks_record.h"

const struct hooks *hooks_of(const struct application *app, enum phase phase)
{
	switch (phase) {
	case PHASE_TRUST:
		return &app->trust;
	case PHASE_CLIENTS:
	case PHASE_EMERGENCY:
		return &app->clients;
	case PHASE_PRUNE:
		return &app->prune;
	case PHASE_FIRST:
	case PHASE_GENERATE:
	case PHASE_SERVERS:
	case PHASE__MAX:
	default:
		return NULL;
	}
}

/* By wave, and in the file's order within one: the sort has to be stable. */
static int by_wave(const void *a, const void *b)
{
	const struct application *one = *(const struct application *const *)a;
	const struct application *other = *(const struct application *const *)b;

	if (one->wave != other->wave)
		return one->wave < other->wave ? -1 : 1;
	return (one > other) - (one < other);
}

static int by_wave_back(const void *a, const void *b)
{
	const struct application *one = *(const struct application *const *)a;
	const struct application *other = *(const struct application *const *)b;

	return one->wave == other->wave ? by_wave(a, b) : -by_wave(a, b);
}

static int add_all(struct hook_list *out, const struct application *app, enum phase phase,
		   struct err *err)
{
	const struct hooks *hooks = hooks_of(app, phase);
	struct hook_item *items;

	if (!hooks || !hooks->count)
		return 0;
	items = realloc(out->items, (out->count + hooks->count) * sizeof(*items));
	if (!items)
		return err_nomem(err);
	out->items = items;
	for (size_t i = 0; i < hooks->count; i++)
		items[out->count++] = (struct hook_item){app, &hooks->items[i]};
	return 0;
}

int hooks_list(struct hook_list *out, const struct session *session, enum phase phase,
	       enum direction direction, const struct generation *gen, struct err *err)
{
	const struct config *config = session->config;
	const struct application **apps = calloc(config->application_count + 1, sizeof(*apps));
	size_t count = 0;
	int rc = apps ? 0 : err_nomem(err);

	*out = (struct hook_list){.items = NULL};
	for (size_t i = 0; i < config->application_count && !rc; i++) {
		const struct hooks *hooks = hooks_of(&config->applications[i], phase);

		if (hooks && hooks->count && gates_concerns(&config->applications[i], gen))
			apps[count++] = &config->applications[i];
	}
	if (!rc)
		qsort(apps, count, sizeof(const struct application *),
		      direction == DIRECTION_BACK ? by_wave_back : by_wave);
	for (size_t i = 0; i < count && !rc; i++)
		rc = add_all(out, apps[i], phase, err);
	free(apps);
	if (rc)
		hook_list_release(out);
	return rc;
}

void hook_list_release(struct hook_list *list)
{
	free(list->items);
	*list = (struct hook_list){.items = NULL};
}

/* "https://hooks.example.com" of "https://user@hooks.example.com/services/T0/B0/secret" */
static void add_host(struct buf *out, const char *url)
{
	const char *host = strstr(url, "://");
	const char *at;
	size_t len;

	host = host ? host + 3 : url;
	len = strcspn(host, "/?#");
	at = memrchr(host, '@', len);
	buf_add(out, url, (size_t)(host - url));
	if (at) {
		len -= (size_t)(at + 1 - host);
		host = at + 1;
	}
	buf_add(out, host, len);
}

char *hook_text(const struct hook *hook)
{
	struct buf text;
	char *out;

	buf_init(&text, BUF_TEXT_MAX);
	buf_adds(&text, hook_kind_name(hook->kind));
	switch (hook->kind) {
	case HOOK_EXEC:
		for (size_t i = 0; i < hook->command.count; i++)
			buf_addf(&text, " %s", hook->command.items[i]);
		break;
	case HOOK_WEBHOOK:
		buf_addc(&text, ' ');
		if (hook->webhook.url)
			add_host(&text, hook->webhook.url);
		else
			buf_addf(&text, "of %s", hook->webhook.url_file);
		break;
	case HOOK_ANSIBLE:
		buf_addf(&text, " %s", hook->play.playbook);
		break;
	case HOOK_MANUAL:
	case HOOK__MAX:
	default:
		buf_addf(&text, ": %s", hook->text);
		break;
	}
	out = buf_detach(&text);
	buf_release(&text);
	return out;
}

int hook_list_texts(struct strs *out, const struct hook_list *list, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; i < list->count && !rc; i++) {
		const struct application *app = list->items[i].app;
		char *text = hook_text(list->items[i].hook);

		rc = text ? strs_addf(out, err, "wave %u: %s: %s", app->wave, app->name, text)
			  : err_nomem(err);
		free(text);
	}
	return rc;
}

/* Times compare as texts. */
const struct json *hooks_word(const struct store *store, const char *app)
{
	const struct under_way *under_way = &store->under_way;
	const struct json *word;

	if (!under_way->active)
		return NULL;
	word = store_word(store, app, under_way->phase, under_way->direction);
	return word && strcmp(js_str(word, "at", ""), under_way->begun ? under_way->begun : "") >= 0
		       ? word
		       : NULL;
}

bool hooks_run_in(const struct session *session)
{
	const struct under_way *under_way = &session->store.under_way;

	/* In an emergency nobody is waited for. */
	if (!under_way->active || under_way->phase == PHASE_EMERGENCY)
		return false;
	for (size_t i = 0; i < session->config->application_count; i++) {
		const struct hooks *hooks = hooks_of(&session->config->applications[i],
						     under_way->phase);

		if (hooks && hooks->count)
			return true;
	}
	return false;
}

/* since: NULL on a machine that does not know how far the hooks have come. */
static int say_waiting(struct findings *out, const struct session *session, const char *name,
		       const char *since, const char *text, struct err *err)
{
	const struct under_way *under_way = &session->store.under_way;
	const struct application *app = NULL;
	char *subject = str_fmt("application %s", name);
	char *advice;
	int rc;

	if (config_application(&app, session->config, name, NULL))
		app = NULL;
	advice = str_fmt("%s%s'certrotate ack --app %s --by WHO' records it, then '%s' goes on",
			 app ? app->contact : "", app && app->contact[0] ? " does it; " : "", name,
			 direction_verb(under_way->direction));
	rc = subject && advice
		     ? findings_add(out, "hook-waits", SEVERITY_WARNING, subject, advice, err,
				    "%s%s waits for its word%s%s: %s",
				    under_way->direction == DIRECTION_BACK ? "the revert of " : "",
				    phase_name(under_way->phase),
				    since ? " since " : ", once it comes to its hooks",
				    since ? since : "", text)
		     : err_nomem(err);
	free(subject);
	free(advice);
	return rc;
}

/* What another machine drives: whose words it has to have before its end. */
static int needed_there(struct findings *out, const struct session *session,
			const struct generation *gen, struct err *err)
{
	const struct under_way *under_way = &session->store.under_way;
	struct hook_list list = {.items = NULL};
	const struct application *said = NULL;
	int rc = gen ? hooks_list(&list, session, under_way->phase, under_way->direction, gen, err)
		     : 0;

	for (size_t i = 0; i < list.count && !rc; i++) {
		const struct hook_item *item = &list.items[i];

		if (item->hook->kind != HOOK_MANUAL || item->app == said ||
		    hooks_word(&session->store, item->app->name))
			continue;
		said = item->app;
		rc = say_waiting(out, session, item->app->name, NULL, item->hook->text, err);
	}
	hook_list_release(&list);
	return rc;
}

/* What this machine drives: it knows how far the hooks have come. */
int hooks_waiting(struct findings *out, const struct session *session, const struct generation *gen,
		  struct err *err)
{
	const struct under_way *under_way = &session->store.under_way;
	struct hooks_record record;
	int rc;

	if (!hooks_run_in(session))
		return 0;
	if (under_way->host && strcmp(under_way->host, session->host) != 0)
		return needed_there(out, session, gen, err);
	rc = hooks_record_open(&record, session, err);
	for (const char *key = js_first_key(record.runs); key && !rc;
	     key = js_next_key(record.runs, key)) {
		const struct json *run = js_get(record.runs, key);
		const char *app = js_str(run, "application", "");

		if (!strcmp(js_str(run, "outcome", ""), HOOK_WAITS) &&
		    !hooks_word(&session->store, app))
			rc = say_waiting(out, session, app, js_str(run, "at", "?"),
					 js_str(run, "text", ""), err);
	}
	hooks_record_release(&record);
	return rc;
}
