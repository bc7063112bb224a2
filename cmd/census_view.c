/* SPDX-License-Identifier: PostgreSQL */
#include "cmd/census_view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool census_view_connected(const struct census_view *view, const struct sighting *sighting)
{
	return view->last && sighting->last_seen == view->last->at;
}

/* Since when whoever logs in should show the generation that the state gives to clients. */
static int64_t switched_at(const struct store *store)
{
	const struct under_way *under_way = &store->under_way;
	int64_t at = store_when(store, PHASE_CLIENTS, DIRECTION_FORWARD);
	struct err unread = {0};

	if (!at)
		at = store_when(store, PHASE_EMERGENCY, DIRECTION_FORWARD);
	if (at || !under_way->active || under_way->direction == DIRECTION_BACK ||
	    (under_way->phase != PHASE_CLIENTS && under_way->phase != PHASE_EMERGENCY))
		return at;
	return under_way->since && !sys_time_parse(under_way->since, &at, &unread) ? at : 0;
}

static int compare(const void *a, const void *b)
{
	const struct sighting *left = *(const struct sighting *const *)a;
	const struct sighting *right = *(const struct sighting *const *)b;
	int by = strcmp(left->user, right->user);

	by = by ? by : strcmp(left->generation, right->generation);
	by = by ? by : (int)left->kind - (int)right->kind;
	by = by ? by : (left->last_seen < right->last_seen) - (left->last_seen > right->last_seen);
	by = by ? by : strcmp(left->application, right->application);
	by = by ? by : strcmp(left->address, right->address);
	return by ? by : strcmp(left->server, right->server);
}

static int by_address(const void *a, const void *b)
{
	const struct sighting *left = *(const struct sighting *const *)a;
	const struct sighting *right = *(const struct sighting *const *)b;
	int by = strcmp(left->address, right->address);

	return by ? by : strcmp(left->user, right->user);
}

static int by_leaf(const void *a, const void *b)
{
	const struct sighting *left = *(const struct sighting *const *)a;
	const struct sighting *right = *(const struct sighting *const *)b;
	int by = strcmp(left->leaf, right->leaf);

	return by ? by : strcmp(left->user, right->user);
}

static bool is_pooler_name(const char *application)
{
	static const char *const names[] = {"pgbouncer", "pgpool", "odyssey", "pgcat"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcasestr(application, names[i]))
			return true;
	}
	return false;
}

/* Somebody logs in with a certificate that is made out for another. */
static bool is_lent(const struct sighting *sighting)
{
	return sighting->leaf[0] && strcmp(sighting->leaf, sighting->user) != 0;
}

/* Those of one address, or of one leaf, sorted by user. */
static int note_crowd(struct census_crowds *crowds, const char *name,
		      const struct sighting *const *items, size_t count, struct err *err)
{
	struct census_crowd *crowd = &crowds->items[crowds->count];
	bool pooler = false;
	int rc = 0;

	*crowd = (struct census_crowd){.name = name};
	for (size_t i = 0; i < count && !rc; i++) {
		const char *last = crowd->users.count ? crowd->users.items[crowd->users.count - 1]
						      : "";

		crowd->sessions += items[i]->sessions;
		pooler = pooler || is_pooler_name(items[i]->application) || is_lent(items[i]);
		if (strcmp(last, items[i]->user) != 0)
			rc = strs_add(&crowd->users, items[i]->user, err);
	}
	if (!rc && (crowd->users.count > 1 || pooler))
		crowds->count++;
	else
		strs_release(&crowd->users);
	return rc;
}

static int find_crowds(struct census_crowds *crowds, const struct census_view *view,
		       int (*by)(const void *a, const void *b), struct err *err)
{
	size_t total = view->census->sighting_count, count = 0;
	const struct sighting **items = calloc(total + 1, sizeof(const struct sighting *));
	int rc = 0;

	crowds->items = calloc(total + 1, sizeof(*crowds->items));
	if (!items || !crowds->items) {
		free(items);
		return err_nomem(err);
	}
	for (size_t i = 0; i < total; i++) {
		const struct sighting *one = &view->census->sightings[i];

		if (census_view_connected(view, one) &&
		    (by == by_leaf ? is_lent(one) : one->address[0] != '\0'))
			items[count++] = one;
	}
	if (count)
		qsort(items, count, sizeof(const struct sighting *), by);
	for (size_t start = 0, end = 0; start < count && !rc; start = end) {
		const char *name = by == by_leaf ? items[start]->leaf : items[start]->address;

		for (end = start + 1; end < count; end++) {
			const char *other = by == by_leaf ? items[end]->leaf : items[end]->address;

			if (strcmp(other, name) != 0)
				break;
		}
		rc = note_crowd(crowds, name, items + start, end - start, err);
	}
	free(items);
	return rc;
}

static int find_unseen(struct census_view *view, struct err *err)
{
	struct strmap seen = STRMAP_INIT;
	int rc = 0;

	for (size_t i = 0; i < view->census->sighting_count && !rc; i++) {
		const struct sighting *sighting = &view->census->sightings[i];

		if (strcmp(sighting->generation, view->run->generation) != 0)
			continue;
		rc = strmap_put(&seen, sighting->user, 0, err);
		rc = rc ? rc : strmap_put(&seen, sighting->leaf, 0, err);
	}
	for (size_t i = 0; i < view->run->users.count && !rc; i++) {
		if (!strmap_get(&seen, view->run->users.items[i], NULL))
			rc = strs_add(&view->unseen, view->run->users.items[i], err);
	}
	strmap_release(&seen);
	strs_sort(&view->unseen);
	return rc;
}

int census_view_make(struct census_view *view, const struct session *session,
		     const struct census *census, const struct census_run *run, struct err *err)
{
	int rc;

	*view = (struct census_view){.session = session, .census = census, .run = run};
	if (run->asked && census->sample_count)
		view->last = &census->samples[census->sample_count - 1];
	view->switched = switched_at(&session->store);
	view->sorted = calloc(census->sighting_count + 1, sizeof(const struct sighting *));
	if (!view->sorted)
		return err_nomem(err);
	for (size_t i = 0; i < census->sighting_count; i++)
		view->sorted[i] = &census->sightings[i];
	if (census->sighting_count)
		qsort(view->sorted, census->sighting_count, sizeof(const struct sighting *),
		      compare);
	rc = find_crowds(&view->addresses, view, by_address, err);
	rc = rc ? rc : find_crowds(&view->certificates, view, by_leaf, err);
	return rc ? rc : find_unseen(view, err);
}

static void crowds_release(struct census_crowds *crowds)
{
	for (size_t i = 0; i < crowds->count; i++)
		strs_release(&crowds->items[i].users);
	free(crowds->items);
}

void census_view_release(struct census_view *view)
{
	crowds_release(&view->addresses);
	crowds_release(&view->certificates);
	free(view->sorted);
	strs_release(&view->unseen);
	*view = (struct census_view){0};
}

void census_age(char *out, size_t size, int64_t seconds)
{
	if (seconds >= INT64_C(86400) && seconds < INT64_C(2) * 86400)
		(void)snprintf(out, size, "%lld h", (long long)seconds / 3600);
	else if (seconds >= 60 && seconds < 7200)
		(void)snprintf(out, size, "%lld min", (long long)seconds / 60);
	else
		sys_duration_text(seconds, out, size);
}
