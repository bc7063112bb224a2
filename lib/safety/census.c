/* SPDX-License-Identifier: PostgreSQL */
#include "safety/census.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "safety/census_internal.h"

/* Stands between the parts of a key: no clean text holds it. */
#define SEPARATOR    '\x1f'
#define MISSED_WHOLE 500 /* samples that keep all reasons; the older ones keep MISSED_OLD */
#define MISSED_OLD   3
#define SAME_MOMENT  60 /* seconds: two runs may end in one second, and a clock may be corrected */
#define KEY_MAX	     ((size_t)8 * (CENSUS_TEXT_MAX + 1))

const char *census_kind_name(enum census_kind kind)
{
	static const char *const names[CENSUS_KIND__MAX] = {
		[CENSUS_CERTIFICATE] = "certificate",
		[CENSUS_NO_CERTIFICATE] = "no-certificate",
		[CENSUS_NO_TLS] = "no-tls",
		[CENSUS_LOCAL] = "local",
	};

	return kind < CENSUS_KIND__MAX ? names[kind] : "unknown";
}

/* The length of a character of UTF-8 (RFC 3629) that may be shown; 0 for anything else. */
static size_t character(const unsigned char *at)
{
	size_t len;

	if (at[0] < 0x80)
		return at[0] >= 0x20 && at[0] != 0x7f;
	if (at[0] < 0xc2 || at[0] > 0xf4)
		return 0;
	len = at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
	for (size_t i = 1; i < len; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	}
	if ((at[0] == 0xc2 && at[1] < 0xa0) || (at[0] == 0xe0 && at[1] < 0xa0) ||
	    (at[0] == 0xed && at[1] >= 0xa0) || (at[0] == 0xf0 && at[1] < 0x90) ||
	    (at[0] == 0xf4 && at[1] >= 0x90))
		return 0;
	return len;
}

char *census_clean(const char *text)
{
	const unsigned char *at = (const unsigned char *)text;
	size_t len = strnlen(text, CENSUS_TEXT_MAX), n = 0;
	char *out = malloc(len + 1);

	while (out && n < len) {
		size_t one = character(at + n);

		/* What is cut in the middle of a character loses the character. */
		if (n + one > len)
			break;
		memcpy(out + n, one ? text + n : "?", one ? one : 1);
		n += one ? one : 1;
	}
	if (out)
		out[n] = '\0';
	return out;
}

void census_sighting_release(struct sighting *sighting)
{
	free(sighting->server);
	free(sighting->user);
	free(sighting->application);
	free(sighting->address);
	free(sighting->generation);
	free(sighting->leaf);
	free(sighting->serial);
	*sighting = (struct sighting){0};
}

void census_sample_release(struct census_sample *sample)
{
	strs_release(&sample->missed);
	free(sample->counts);
	*sample = (struct census_sample){0};
}

void census_release(struct census *census)
{
	for (size_t i = 0; i < census->sample_count; i++)
		census_sample_release(&census->samples[i]);
	for (size_t i = 0; i < census->sighting_count; i++)
		census_sighting_release(&census->sightings[i]);
	free(census->samples);
	free(census->sightings);
	strmap_release(&census->index);
	strmap_release(&census->groups);
	*census = (struct census)CENSUS_INIT;
}

static void part(struct buf *key, const char *text)
{
	buf_adds(key, text);
	buf_addc(key, SEPARATOR);
}

/* What makes sightings alike. A joined one may hold several serials. */
static int key_of(struct buf *key, const struct sighting *sighting, struct err *err)
{
	bool joined = !strcmp(sighting->application, CENSUS_OTHERS);

	buf_init(key, KEY_MAX);
	part(key, sighting->server);
	part(key, sighting->user);
	part(key, sighting->application);
	part(key, sighting->address);
	part(key, joined ? sighting->generation : sighting->serial);
	buf_addf(key, "%d%d", (int)sighting->kind, sighting->replication);
	return buf_check(key, "a sighting of the census", err);
}

static int group_of(struct buf *key, const struct sighting *sighting, struct err *err)
{
	buf_init(key, KEY_MAX);
	part(key, sighting->server);
	part(key, sighting->user);
	part(key, sighting->generation);
	buf_addf(key, "%d%d", (int)sighting->kind, sighting->replication);
	return buf_check(key, "a sighting of the census", err);
}

/* Enters a sighting that is in its place into both maps. */
static int enter(struct census *census, size_t at, struct err *err)
{
	const struct sighting *sighting = &census->sightings[at];
	size_t apart = 0;
	struct buf key;
	int rc = key_of(&key, sighting, err);

	if (!rc && strmap_get(&census->index, key.data, NULL))
		rc = err_set(err, ERR_FAIL, "a sighting is there twice (user %s on %s)",
			     sighting->user, sighting->server);
	rc = rc ? rc : strmap_put(&census->index, key.data, at, err);
	buf_release(&key);
	if (rc || !strcmp(sighting->application, CENSUS_OTHERS))
		return rc;
	rc = group_of(&key, sighting, err);
	if (!rc) {
		(void)strmap_get(&census->groups, key.data, &apart);
		rc = strmap_put(&census->groups, key.data, apart + 1, err);
	}
	buf_release(&key);
	return rc;
}

int census_append(struct census *census, const struct sighting *sighting, size_t *at,
		  struct err *err)
{
	struct sighting taken = *sighting;
	int rc;

	if (!taken.server || !taken.user || !taken.application || !taken.address ||
	    !taken.generation || !taken.leaf || !taken.serial) {
		census_sighting_release(&taken);
		return err_nomem(err);
	}
	if (census->sighting_count == census->sighting_cap) {
		size_t cap = census->sighting_cap ? census->sighting_cap * 2 : 64;
		struct sighting *items = realloc(census->sightings, cap * sizeof(*items));

		if (!items) {
			census_sighting_release(&taken);
			return err_nomem(err);
		}
		census->sightings = items;
		census->sighting_cap = cap;
	}
	census->sightings[census->sighting_count++] = taken;
	rc = enter(census, census->sighting_count - 1, err);
	if (rc)
		census_sighting_release(&census->sightings[--census->sighting_count]);
	else if (at)
		*at = census->sighting_count - 1;
	return rc;
}

struct census_sample *census_new_sample(struct census *census)
{
	if (census->sample_count == census->sample_cap) {
		size_t cap = census->sample_cap ? census->sample_cap * 2 : 64;
		struct census_sample *items = realloc(census->samples, cap * sizeof(*items));

		if (!items)
			return NULL;
		census->samples = items;
		census->sample_cap = cap;
	}
	census->samples[census->sample_count] = (struct census_sample){0};
	return &census->samples[census->sample_count++];
}

/* The reasons of long ago make way: a record has to stay small enough to be read. */
static void trim_missed(struct census *census)
{
	struct strs *missed;

	if (census->sample_count < MISSED_WHOLE)
		return;
	missed = &census->samples[census->sample_count - MISSED_WHOLE].missed;
	while (missed->count > MISSED_OLD) {
		free(missed->items[--missed->count]);
		missed->items[missed->count] = NULL;
	}
}

static void clock_was_set_back(struct census *census, int64_t at)
{
	while (census->sample_count && census->samples[census->sample_count - 1].at > at)
		census_sample_release(&census->samples[--census->sample_count]);
	for (size_t i = 0; i < census->sighting_count; i++) {
		struct sighting *sighting = &census->sightings[i];

		if (sighting->first_seen > at)
			sighting->first_seen = at;
		if (sighting->last_seen > at)
			sighting->last_seen = at;
	}
}

static void drop_samples(struct census *census, size_t count)
{
	for (size_t i = 0; i < count; i++)
		census_sample_release(&census->samples[i]);
	census->sample_count -= count;
	if (count && census->sample_count)
		memmove(census->samples, census->samples + count,
			census->sample_count * sizeof(*census->samples));
}

int census_begin(struct census *census, int64_t at, struct err *err)
{
	struct census_sample *sample;
	int64_t last = census->sample_count ? census->samples[census->sample_count - 1].at : 0;

	if (last >= at && last - at < SAME_MOMENT)
		at = last + 1;
	trim_missed(census);
	clock_was_set_back(census, at);
	if (census->sample_count >= CENSUS_SAMPLES_MAX)
		drop_samples(census, census->sample_count - CENSUS_SAMPLES_MAX + 1);
	sample = census_new_sample(census);
	if (!sample)
		return err_nomem(err);
	sample->at = at;
	return 0;
}

static struct census_sample *current(struct census *census)
{
	return &census->samples[census->sample_count - 1];
}

static enum census_kind kind_of(const struct census_session *session)
{
	if (session->serial[0])
		return CENSUS_CERTIFICATE;
	if (!session->address[0])
		return CENSUS_LOCAL;
	return session->tls ? CENSUS_NO_CERTIFICATE : CENSUS_NO_TLS;
}

static int replace(char **field, const char *text, struct err *err)
{
	char *copy;

	if (!strcmp(*field, text))
		return 0;
	copy = strdup(text);
	if (!copy)
		return err_nomem(err);
	free(*field);
	*field = copy;
	return 0;
}

static struct sighting make(const struct census_session *session, const struct census_index *index,
			    const char *server)
{
	struct sighting made = {.server = census_clean(server),
				.user = census_clean(session->user),
				.application = census_clean(session->application),
				.address = census_clean(session->address),
				.serial = census_clean(session->serial),
				.kind = kind_of(session),
				.replication = !strcmp(session->backend, "walsender")};
	const struct census_leaf *leaf = NULL;

	if (made.serial && made.user)
		leaf = census_index_find(index, made.serial, made.user);
	made.generation = strdup(leaf				   ? leaf->generation
				 : made.kind == CENSUS_CERTIFICATE ? CENSUS_UNKNOWN
								   : "");
	made.leaf = strdup(leaf ? leaf->name : "");
	return made;
}

/* Where a sighting like this one is, or has to go: it is changed to be what it is joined to. */
static int find_place(bool *found, size_t *at, const struct census *census,
		      struct sighting *sighting, struct err *err)
{
	size_t apart = 0;
	struct buf key;
	int rc = key_of(&key, sighting, err);

	*found = !rc && strmap_get(&census->index, key.data, at);
	buf_release(&key);
	if (rc || *found)
		return rc;
	rc = group_of(&key, sighting, err);
	if (!rc)
		(void)strmap_get(&census->groups, key.data, &apart);
	buf_release(&key);
	if (rc || (apart < CENSUS_APART_MAX && census->sighting_count < CENSUS_SIGHTINGS_MAX))
		return rc;
	rc = replace(&sighting->application, CENSUS_OTHERS, err);
	/* An address tells who it is; of many it tells nothing. */
	rc = rc ? rc : replace(&sighting->address, "", err);
	if (!rc && apart < CENSUS_APART_MAX)
		rc = replace(&sighting->server, CENSUS_OTHERS, err);
	if (!rc)
		rc = key_of(&key, sighting, err);
	if (!rc) {
		*found = strmap_get(&census->index, key.data, at);
		buf_release(&key);
	}
	return rc;
}

static int later(const char *a, const char *b)
{
	size_t left = strlen(a), right = strlen(b);

	return left != right ? (left > right) - (left < right) : strcmp(a, b);
}

/* The place of a generation's count, made where there is none: the lowest number first. */
static int count_place(struct census_count **out, struct census_sample *sample,
		       const char *generation, struct err *err)
{
	struct census_count *counts;
	size_t at = 0;

	while (at < sample->count_count && later(generation, sample->counts[at].generation) > 0)
		at++;
	if (at == sample->count_count || strcmp(sample->counts[at].generation, generation) != 0) {
		counts = realloc(sample->counts, (sample->count_count + 1) * sizeof(*counts));
		if (!counts)
			return err_nomem(err);
		memmove(counts + at + 1, counts + at,
			(sample->count_count++ - at) * sizeof(*counts));
		counts[at] = (struct census_count){0};
		(void)snprintf(counts[at].generation, sizeof(counts[at].generation), "%s",
			       generation);
		sample->counts = counts;
	}
	*out = &sample->counts[at];
	return 0;
}

static int count(struct census_sample *sample, const struct sighting *sighting, const char *newest,
		 struct err *err)
{
	struct census_count *place = NULL;
	int rc;

	if (sighting->kind == CENSUS_LOCAL)
		sample->local++;
	else if (sighting->kind != CENSUS_CERTIFICATE)
		sample->without++;
	else if (!strcmp(sighting->generation, CENSUS_UNKNOWN))
		sample->by_unknown++;
	else if (!strcmp(sighting->generation, newest))
		sample->by_new++;
	else
		sample->by_old++;
	if (!sighting->generation[0] || !strcmp(sighting->generation, CENSUS_UNKNOWN))
		return 0;
	rc = count_place(&place, sample, sighting->generation, err);
	if (!rc)
		place->sessions++;
	return rc;
}

/* One more session of a sighting that is in the record. */
static int update(struct sighting *in, const struct sighting *seen, int64_t at, int64_t since,
		  struct err *err)
{
	int rc = 0;

	/* Files of generations go; what was known of a serial stays known. */
	if (strcmp(seen->generation, CENSUS_UNKNOWN) != 0) {
		rc = replace(&in->generation, seen->generation, err);
		rc = rc ? rc : replace(&in->leaf, seen->leaf, err);
	}
	if (!rc && strcmp(in->serial, seen->serial) != 0)
		rc = replace(&in->serial, "", err); /* joined */
	if (in->last_seen != at) {
		in->last_seen = at;
		in->sessions = 0;
	}
	if (!in->sessions || since < in->oldest_since)
		in->oldest_since = since;
	if (!in->sessions || since > in->newest_since)
		in->newest_since = since;
	in->sessions++;
	return rc;
}

int census_add(struct census *census, const struct census_index *index, const char *server,
	       const struct census_session *session, struct err *err)
{
	/* Servers and their clocks may say anything; a record has to be readable afterwards. */
	int64_t since = session->since < 0		   ? 0
			: session->since > CENSUS_TIME_MAX ? CENSUS_TIME_MAX
							   : session->since;
	struct sighting seen = make(session, index, server);
	struct census_sample *sample = current(census);
	bool found = false;
	size_t at = 0;
	int rc = seen.server && seen.user && seen.application && seen.address && seen.serial &&
				 seen.generation && seen.leaf
			 ? 0
			 : err_nomem(err);

	rc = rc ? rc : find_place(&found, &at, census, &seen, err);
	if (!rc && !found && census->sighting_count >= (size_t)2 * CENSUS_SIGHTINGS_MAX) {
		rc = err_set(err, ERR_FAIL,
			     "the record of the census is full: it has %zu sightings",
			     census->sighting_count);
		err_hint(err, "remove the record, .git/certrotate/ENV/census.json: only sightings "
			      "are lost");
	}
	if (!rc && !found) {
		seen.first_seen = seen.last_seen = sample->at;
		seen.sessions = 1;
		seen.oldest_since = seen.newest_since = since;
		rc = census_append(census, &seen, &at, err);
		seen = (struct sighting){0};
	} else if (!rc) {
		rc = update(&census->sightings[at], &seen, sample->at, since, err);
	}
	if (!rc)
		rc = count(sample, &census->sightings[at], census_index_newest(index), err);
	census_sighting_release(&seen);
	return rc;
}

int census_answered(struct census *census, const char *server, struct err *err)
{
	(void)server;
	(void)err;
	current(census)->servers++;
	current(census)->answered++;
	return 0;
}

int census_missed(struct census *census, const char *server, const char *why, struct err *err)
{
	struct census_sample *sample = current(census);
	char *text, *clean;
	int rc;

	sample->servers++;
	if (sample->missed.count >= CENSUS_MISSED_MAX)
		return 0;
	text = str_fmt("%s: %s", server, why);
	clean = text ? census_clean(text) : NULL;
	rc = clean ? strs_add(&sample->missed, clean, err) : err_nomem(err);
	free(text);
	free(clean);
	return rc;
}

int census_forget(struct census *census, int64_t before, struct err *err)
{
	size_t kept = 0, old = 0;
	int rc = 0;

	while (old < census->sample_count && census->samples[old].at < before)
		old++;
	drop_samples(census, old);
	for (size_t i = 0; i < census->sighting_count; i++) {
		if (census->sightings[i].last_seen < before)
			census_sighting_release(&census->sightings[i]);
		else
			census->sightings[kept++] = census->sightings[i];
	}
	if (kept == census->sighting_count)
		return 0;
	census->sighting_count = kept;
	strmap_release(&census->index);
	strmap_release(&census->groups);
	for (size_t i = 0; i < kept && !rc; i++)
		rc = enter(census, i, err);
	return rc;
}
