/* SPDX-License-Identifier: PostgreSQL */
#include <stdlib.h>
#include <string.h>

#include "cmd/census_view.h"

static void set_time(struct json *object, const char *key, int64_t at)
{
	char text[SYS_TIME_SIZE];

	sys_time_text(at, text);
	(void)js_set_str(object, key, at ? text : NULL);
}

static struct json *names_json(const struct strs *names)
{
	struct json *array = js_new_array();

	for (size_t i = 0; i < names->count; i++)
		(void)js_push_str(array, names->items[i]);
	return array;
}

static struct json *sighting_json(const struct census_view *view, const struct sighting *sighting)
{
	struct json *object = js_new_object();

	(void)js_set_str(object, "server", sighting->server);
	(void)js_set_str(object, "user", sighting->user);
	(void)js_set_str(object, "application", sighting->application);
	(void)js_set_str(object, "address", sighting->address);
	(void)js_set_str(object, "generation", sighting->generation);
	(void)js_set_str(object, "leaf", sighting->leaf);
	(void)js_set_str(object, "serial", sighting->serial);
	(void)js_set_str(object, "kind", census_kind_name(sighting->kind));
	(void)js_set_bool(object, "replication", sighting->replication);
	(void)js_set_bool(object, "connected", census_view_connected(view, sighting));
	(void)js_set_int(object, "sessions", (int64_t)sighting->sessions);
	set_time(object, "first_seen", sighting->first_seen);
	set_time(object, "last_seen", sighting->last_seen);
	set_time(object, "oldest_login", sighting->oldest_since);
	set_time(object, "newest_login", sighting->newest_since);
	return object;
}

static struct json *sample_json(const struct census_sample *sample)
{
	struct json *object = js_new_object(), *generations = js_new_object();

	set_time(object, "at", sample->at);
	(void)js_set_int(object, "servers", (int64_t)sample->servers);
	(void)js_set_int(object, "answered", (int64_t)sample->answered);
	(void)js_set(object, "missed", names_json(&sample->missed));
	for (size_t i = 0; i < sample->count_count; i++)
		(void)js_set_int(generations, sample->counts[i].generation,
				 (int64_t)sample->counts[i].sessions);
	(void)js_set(object, "generations", generations);
	(void)js_set_int(object, "unknown", (int64_t)sample->by_unknown);
	(void)js_set_int(object, "without", (int64_t)sample->without);
	(void)js_set_int(object, "local", (int64_t)sample->local);
	return object;
}

static struct json *crowds_json(const struct census_crowds *crowds, const char *key)
{
	struct json *array = js_new_array();

	for (size_t i = 0; i < crowds->count; i++) {
		struct json *object = js_new_object();

		(void)js_set_str(object, key, crowds->items[i].name);
		(void)js_set(object, "users", names_json(&crowds->items[i].users));
		(void)js_set_int(object, "sessions", (int64_t)crowds->items[i].sessions);
		(void)js_push(array, object);
	}
	return array;
}

struct json *census_document(const struct census_view *view)
{
	const struct census *census = view->census;
	const struct store *store = &view->session->store;
	struct json *root = js_new_object(), *samples = js_new_array();
	struct json *sightings = js_new_array();

	(void)js_set_int(root, "version", 1);
	(void)js_set_str(root, "environment", view->session->env->name);
	(void)js_set_str(root, "state", state_name(store->state));
	(void)js_set_str(root, "generation", view->run->generation);
	set_time(root, "switched", view->switched);
	(void)js_set_int(root, "asked", (int64_t)view->run->asked);
	(void)js_set_int(root, "answered", (int64_t)view->run->answered);
	(void)js_set(root, "findings", ui_findings_json(&view->run->findings));
	(void)js_set(root, "never_seen", names_json(&view->unseen));
	(void)js_set(root, "shared_certificates", crowds_json(&view->certificates, "leaf"));
	(void)js_set(root, "shared_addresses", crowds_json(&view->addresses, "address"));
	for (size_t i = 0; i < census->sighting_count; i++)
		(void)js_push(sightings, sighting_json(view, view->sorted[i]));
	(void)js_set(root, "sightings", sightings);
	for (size_t i = 0; i < census->sample_count; i++)
		(void)js_push(samples, sample_json(&census->samples[i]));
	(void)js_set(root, "samples", samples);
	return root;
}

struct json *census_summary_json(const struct census *census, int64_t now)
{
	const struct census_sample *last;
	struct json *object, *trend;
	int64_t day = now - 86400;

	if (!census->sample_count)
		return NULL;
	last = &census->samples[census->sample_count - 1];
	object = sample_json(last);
	trend = js_new_array();
	/* A day is what fits here: the last sample of each hour. */
	for (size_t i = 0; i < census->sample_count; i++) {
		const struct census_sample *sample = &census->samples[i];

		if (sample->at >= day &&
		    (sample == last || sample->at / 3600 != sample[1].at / 3600))
			(void)js_push(trend, sample_json(sample));
	}
	(void)js_set(object, "trend", trend);
	return object;
}
