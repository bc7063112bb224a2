/* SPDX-License-Identifier: PostgreSQL */
#include "state/store.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sys.h"
#include "pki/sum.h"

#define STORE_VERSION 1
#define REVISION_MAX  (INT64_C(1) << 53) /* what every reader of JSON takes as it is */

int store_set(char **field, const char *value, struct err *err)
{
	char *copy = value ? strdup(value) : NULL;

	if (value && !copy)
		return err_nomem(err);
	free(*field);
	*field = copy;
	return 0;
}

int store_init(struct store *store, const char *environment, enum state state, struct err *err)
{
	*store = (struct store){.state = state, .phase = PHASE__MAX};
	store->history = js_new_array();
	store->waivers = js_new_array();
	store->acks = js_new_array();
	if (!store->history || !store->waivers || !store->acks ||
	    store_set(&store->environment, environment, err)) {
		store_release(store);
		return err_nomem(err);
	}
	return 0;
}

static void under_way_release(struct under_way *under_way)
{
	free(under_way->by);
	free(under_way->host);
	free(under_way->since);
	free(under_way->begun);
	free(under_way->turned);
	free(under_way->reason);
	js_free(under_way->again);
	*under_way = (struct under_way){0};
}

void store_release(struct store *store)
{
	free(store->environment);
	free(store->rotation);
	under_way_release(&store->under_way);
	free(store->old_gen);
	free(store->new_gen);
	free(store->retired_gen);
	free(store->last_gen);
	strs_release(&store->host_set);
	strs_release(&store->behind);
	js_free(store->history);
	js_free(store->waivers);
	js_free(store->acks);
	*store = (struct store){0};
}

static int wrong(const char *name, const char *what, struct err *err)
{
	return err_set(err, ERR_FAIL, "%s: %s", name, what);
}

/* The last commit that certrotate made holds a good one, whatever came behind it. */
static int hint_good_one(const char *environment, struct err *err)
{
	return err_hint_default(err,
				"the file changes only inside certrotate's own commits; an edit, "
				"a merge as text or damage breaks it: find the last good one with "
				"'git log -- .certrotate/%s/state.json', then 'git checkout COMMIT "
				"-- .certrotate/%s/state.json', commit and push",
				environment, environment);
}

/* A string that names a file below .certrotate/ or shows on a terminal: no surprises in it. */
static bool is_plain(const char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return false;
	}
	return true;
}

static int get_string(char **out, const struct json *object, const char *key, const char *name,
		      struct err *err)
{
	struct json *value = js_get(object, key);
	const char *text = js_string_value(value);

	if (value && !text && !js_is_null(value))
		return err_set(err, ERR_FAIL, "%s: '%s' is not a text", name, key);
	if (text && !is_plain(text)) {
		err_set(err, ERR_FAIL, "%s: control characters in '%s'", name, key);
		return ERR_FAIL;
	}
	return store_set(out, text, err);
}

static bool is_generation_name(const char *name)
{
	return !name ||
	       (name[0] == 'g' && name[1] && strspn(name + 1, "0123456789") == strlen(name + 1));
}

static int get_strings(struct strs *out, const struct json *object, const char *key,
		       const char *name, struct err *err)
{
	struct json *list = js_get(object, key);
	int rc = 0;

	if (!list)
		return 0;
	if (!js_is_array(list))
		return err_set(err, ERR_FAIL, "%s: '%s' is not a list of names", name, key);
	for (size_t i = 0; i < js_count(list) && !rc; i++) {
		const char *text = js_string_value(js_at(list, i));

		if (!text || !is_plain(text))
			return err_set(err, ERR_FAIL, "%s: '%s' is not a list of names", name, key);
		rc = strs_add(out, text, err);
	}
	return rc;
}

static int get_under_way(struct under_way *out, const struct json *root, const char *name,
			 struct err *err)
{
	const struct json *object = js_get(root, "under_way");
	int rc;

	if (!object || js_is_null(object))
		return 0;
	if (!js_is_object(object))
		return wrong(name, "'under_way' is not an object", err);
	out->active = true;
	out->phase = phase_parse(js_str(object, "phase", ""));
	out->direction = direction_parse(js_str(object, "direction", ""));
	out->from = state_parse(js_str(object, "from", ""));
	out->to = state_parse(js_str(object, "to", ""));
	if (out->phase == PHASE__MAX || out->direction == DIRECTION__MAX ||
	    out->from == STATE__MAX || out->to == STATE__MAX)
		return wrong(name, "'under_way' names no known phase, direction or state", err);
	rc = get_string(&out->by, object, "by", name, err);
	rc = rc ? rc : get_string(&out->host, object, "host", name, err);
	rc = rc ? rc : get_string(&out->since, object, "since", name, err);
	rc = rc ? rc : get_string(&out->begun, object, "begun", name, err);
	if (!rc && !out->begun)
		rc = store_set(&out->begun, out->since, err);
	rc = rc ? rc : get_string(&out->turned, object, "turned", name, err);
	if (!rc && js_is_object(js_get(object, "again")) &&
	    !(out->again = js_copy(js_get(object, "again"))))
		rc = err_nomem(err);
	return rc ? rc : get_string(&out->reason, object, "reason", name, err);
}

static int get_generations(struct store *store, const struct json *root, const char *name,
			   struct err *err)
{
	const struct json *generations = js_get(root, "generations");
	int rc = get_string(&store->old_gen, generations, "old", name, err);

	rc = rc ? rc : get_string(&store->new_gen, generations, "new", name, err);
	rc = rc ? rc : get_string(&store->retired_gen, generations, "retired", name, err);
	rc = rc ? rc : get_string(&store->last_gen, generations, "last", name, err);
	if (rc)
		return rc;
	if (!is_generation_name(store->old_gen) || !is_generation_name(store->new_gen) ||
	    !is_generation_name(store->retired_gen) || !is_generation_name(store->last_gen))
		return wrong(name, "'generations' holds a name that is not g1, g2, …", err);
	if (state_is_middle(store->state) && (!store->old_gen || !store->new_gen))
		return wrong(name, "the state needs an old and a new generation", err);
	return 0;
}

static int get_list(struct json **out, const struct json *root, const char *key, const char *name,
		    struct err *err)
{
	struct json *list = js_get(root, key);

	if (list && !js_is_array(list))
		return err_set(err, ERR_FAIL, "%s: '%s' is not a list", name, key);
	*out = list ? js_copy(list) : js_new_array();
	return *out ? 0 : err_nomem(err);
}

static int parse_root(struct store *store, const struct json *root, const char *name,
		      const char *environment, struct err *err)
{
	int64_t version = js_int(root, "version", -1);
	const char *env = js_str(root, "environment", "");
	int rc;

	if (!js_is_object(root) || version < 1)
		return wrong(name, "not a certrotate state file: it has no 'version'", err);
	if (version != STORE_VERSION) {
		err_set(err, ERR_FAIL,
			"%s: state of version %lld, this certrotate knows version %d", name,
			(long long)version, STORE_VERSION);
		return err_hint(err, "use the certrotate that wrote it, or a newer one");
	}
	rc = sum_check(root, name, err);
	if (rc)
		return rc;
	if (strcmp(env, environment) != 0) {
		err_set(err, ERR_FAIL, "%s: the state of environment '%s', not of '%s'", name, env,
			environment);
		return err_hint(err,
				"it was copied from another environment: remove it, or restore "
				"the right one from git");
	}
	store->state = state_parse(js_str(root, "state", ""));
	if (store->state == STATE__MAX)
		return wrong(name, "unknown state", err);
	store->phase = phase_parse(js_str(root, "phase", NULL));
	if (store->phase == PHASE__MAX && js_str(root, "phase", NULL))
		return wrong(name, "unknown phase", err);
	store->revision = js_int(root, "revision", 0);
	if (store->revision < 0 || store->revision > REVISION_MAX)
		return wrong(name, "no such 'revision' was ever written", err);
	rc = store_set(&store->environment, environment, err);
	rc = rc ? rc : get_string(&store->rotation, root, "rotation", name, err);
	rc = rc ? rc : get_generations(store, root, name, err);
	rc = rc ? rc : get_under_way(&store->under_way, root, name, err);
	rc = rc ? rc : get_strings(&store->host_set, root, "host_set", name, err);
	rc = rc ? rc : get_strings(&store->behind, root, "behind", name, err);
	rc = rc ? rc : get_list(&store->history, root, "history", name, err);
	rc = rc ? rc : get_list(&store->waivers, root, "waivers", name, err);
	return rc ? rc : get_list(&store->acks, root, "acks", name, err);
}

int store_parse(struct store *store, const char *text, size_t len, const char *name,
		const char *environment, struct err *err)
{
	struct json *root = NULL;
	int rc;

	*store = (struct store){.phase = PHASE__MAX};
	rc = js_parse(&root, text, len, name, err);
	rc = rc ? rc : parse_root(store, root, name, environment, err);
	js_free(root);
	if (rc) {
		store_release(store);
		hint_good_one(environment, err);
	}
	return rc;
}

static struct json *strings(const struct strs *list)
{
	struct json *array = js_new_array();

	for (size_t i = 0; i < list->count; i++)
		(void)js_push_str(array, list->items[i]);
	return array;
}

static struct json *under_way_json(const struct under_way *under_way)
{
	struct json *object;

	if (!under_way->active)
		return js_new_null();
	object = js_new_object();
	(void)js_set_str(object, "phase", phase_name(under_way->phase));
	(void)js_set_str(object, "direction", direction_name(under_way->direction));
	(void)js_set_str(object, "from", state_name(under_way->from));
	(void)js_set_str(object, "to", state_name(under_way->to));
	(void)js_set_str(object, "by", under_way->by);
	(void)js_set_str(object, "host", under_way->host);
	(void)js_set_str(object, "since", under_way->since);
	if (under_way->begun && under_way->since && strcmp(under_way->begun, under_way->since) != 0)
		(void)js_set_str(object, "begun", under_way->begun);
	if (under_way->turned)
		(void)js_set_str(object, "turned", under_way->turned);
	if (under_way->reason)
		(void)js_set_str(object, "reason", under_way->reason);
	if (under_way->again)
		(void)js_set(object, "again", js_copy(under_way->again));
	return object;
}

int store_dump(struct buf *out, const struct store *store, struct err *err)
{
	struct json *root = js_new_object();
	struct json *generations = js_new_object();
	int bad = 0, rc;

	bad |= js_set_int(root, "version", STORE_VERSION);
	bad |= js_set_str(root, "environment", store->environment);
	bad |= js_set_int(root, "revision", store->revision);
	bad |= js_set_str(root, "rotation", store->rotation);
	bad |= js_set_str(root, "state", state_name(store->state));
	bad |= js_set_str(root, "phase",
			  store->phase == PHASE__MAX ? NULL : phase_name(store->phase));
	bad |= js_set(root, "under_way", under_way_json(&store->under_way));
	bad |= js_set_str(generations, "old", store->old_gen);
	bad |= js_set_str(generations, "new", store->new_gen);
	bad |= js_set_str(generations, "retired", store->retired_gen);
	bad |= js_set_str(generations, "last", store->last_gen);
	bad |= js_set(root, "generations", generations);
	bad |= js_set(root, "host_set", strings(&store->host_set));
	bad |= js_set(root, "history", js_copy(store->history));
	bad |= js_set(root, "behind", strings(&store->behind));
	bad |= js_set(root, "waivers", js_copy(store->waivers));
	bad |= js_set(root, "acks", js_copy(store->acks));
	rc = bad ? err_nomem(err) : sum_add(root, err);
	rc = rc ? rc : js_dump(out, root, true, err);
	js_free(root);
	return rc;
}

int store_copy(struct store *out, const struct store *in, struct err *err)
{
	struct buf text;
	int rc;

	buf_init(&text, BUF_TEXT_MAX);
	rc = store_dump(&text, in, err);
	if (!rc)
		rc = store_parse(out, text.data, text.len, "state", in->environment, err);
	buf_release(&text);
	return rc;
}

int store_begin(struct store *store, const struct transition *row, const char *by, const char *host,
		int64_t now, const char *reason, struct err *err)
{
	struct under_way *under_way = &store->under_way;
	char since[SYS_TIME_SIZE];
	int rc;

	under_way_release(under_way);
	sys_time_text(now, since);
	under_way->active = true;
	under_way->phase = row->phase;
	under_way->direction = row->direction;
	under_way->from = row->from;
	under_way->to = row->to;
	store->phase = row->phase;
	store->revision++;
	rc = store_set(&under_way->by, by, err);
	rc = rc ? rc : store_set(&under_way->host, host, err);
	rc = rc ? rc : store_set(&under_way->since, since, err);
	rc = rc ? rc : store_set(&under_way->begun, since, err);
	return rc ? rc : store_set(&under_way->reason, reason, err);
}

unsigned store_taken_back(const struct store *store, unsigned wave)
{
	char name[16];
	int64_t count;

	(void)snprintf(name, sizeof(name), "%u", wave);
	count = js_int(store->under_way.again, name, 0);
	return count > 0 && count < UINT_MAX ? (unsigned)count : 0;
}

int store_take_back(struct store *store, unsigned wave, struct err *err)
{
	struct under_way *under_way = &store->under_way;
	int64_t count = (int64_t)store_taken_back(store, wave) + 1;
	char name[16];

	(void)snprintf(name, sizeof(name), "%u", wave);
	store->revision++;
	if (!under_way->again && !(under_way->again = js_new_object()))
		return err_nomem(err);
	return js_set_int(under_way->again, name, count) ? err_nomem(err) : 0;
}

void store_end(struct store *store)
{
	struct json *none = js_new_array();

	if (none) {
		js_free(store->waivers);
		store->waivers = none;
	}
	under_way_release(&store->under_way);
}
