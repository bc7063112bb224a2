/* SPDX-License-Identifier: PostgreSQL */
#include <stdlib.h>
#include <string.h>

#include "safety/census_internal.h"

#define VERSION	    1
#define COLUMNS	    14
#define SESSION_MAX INT64_C(1000000000)

/* Each text once: the names of servers and users stand in thousands of rows. */
struct texts {
	struct json *list;
	struct strmap index;
};

static int text_index(struct json *row, struct texts *texts, const char *text)
{
	size_t at = js_count(texts->list);

	if (!strmap_get(&texts->index, text, &at) &&
	    (js_push_str(texts->list, text) || strmap_put(&texts->index, text, at, NULL)))
		return ERR_FAIL;
	return js_push(row, js_new_int((int64_t)at));
}

static int push_number(struct json *row, int64_t number)
{
	return js_push(row, js_new_int(number));
}

static struct json *sample_json(const struct census_sample *sample, struct texts *texts)
{
	const int64_t numbers[] = {sample->at,
				   (int64_t)sample->servers,
				   (int64_t)sample->answered,
				   (int64_t)sample->by_old,
				   (int64_t)sample->by_new,
				   (int64_t)sample->by_unknown,
				   (int64_t)sample->without,
				   (int64_t)sample->local};
	struct json *row = js_new_array(), *counts = js_new_array(), *missed = js_new_array();
	int rc = row && counts && missed ? 0 : ERR_FAIL;

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]) && !rc; i++)
		rc = push_number(row, numbers[i]);
	for (size_t i = 0; i < sample->count_count && !rc; i++) {
		struct json *pair = js_new_array();

		rc = pair ? text_index(pair, texts, sample->counts[i].generation) : ERR_FAIL;
		rc = rc ? rc : push_number(pair, (int64_t)sample->counts[i].sessions);
		if (js_push(counts, pair))
			rc = ERR_FAIL;
	}
	for (size_t i = 0; i < sample->missed.count && !rc; i++)
		rc = text_index(missed, texts, sample->missed.items[i]);
	if (js_push(row, counts))
		rc = ERR_FAIL;
	if (js_push(row, missed))
		rc = ERR_FAIL;
	if (!rc)
		return row;
	js_free(row);
	return NULL;
}

static struct json *sighting_json(const struct sighting *sighting, struct texts *texts)
{
	const char *const names[] = {sighting->server,	sighting->user,	      sighting->application,
				     sighting->address, sighting->generation, sighting->leaf,
				     sighting->serial};
	const int64_t numbers[] = {(int64_t)sighting->kind,	sighting->replication,
				   (int64_t)sighting->sessions, sighting->first_seen,
				   sighting->last_seen,		sighting->oldest_since,
				   sighting->newest_since};
	struct json *row = js_new_array();
	int rc = row ? 0 : ERR_FAIL;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && !rc; i++)
		rc = text_index(row, texts, names[i]);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]) && !rc; i++)
		rc = push_number(row, numbers[i]);
	if (!rc)
		return row;
	js_free(row);
	return NULL;
}

struct json *census_json(const struct census *census)
{
	struct texts texts = {js_new_array(), STRMAP_INIT};
	struct json *root = js_new_object(), *samples = js_new_array(), *sightings = js_new_array();
	int rc = texts.list && root && samples && sightings ? 0 : ERR_FAIL;

	for (size_t i = 0; i < census->sample_count && !rc; i++)
		rc = js_push(samples, sample_json(&census->samples[i], &texts));
	for (size_t i = 0; i < census->sighting_count && !rc; i++)
		rc = js_push(sightings, sighting_json(&census->sightings[i], &texts));
	strmap_release(&texts.index);
	/* Each is taken over, whatever has failed. */
	rc |= js_set_int(root, "version", VERSION);
	rc |= js_set(root, "texts", texts.list);
	rc |= js_set(root, "samples", samples);
	rc |= js_set(root, "sightings", sightings);
	if (!rc)
		return root;
	js_free(root);
	return NULL;
}

/* What is read: its name for messages, and its texts. */
struct reading {
	const char *name;
	const struct json *texts;
	struct err *err;
};

static int damaged(const struct reading *reading, const char *where, size_t row, const char *what)
{
	err_set(reading->err, ERR_FAIL, "%s: %s[%zu] %s", reading->name, where, row, what);
	return ERR_FAIL;
}

static const char *text_at(const struct reading *reading, const struct json *row, size_t column)
{
	const struct json *value = js_at(row, column);
	int64_t at;

	if (!js_is_int(value))
		return NULL;
	at = js_int_value(value);
	return at < 0 ? NULL : js_string_value(js_at(reading->texts, (size_t)at));
}

static bool numbers_of(int64_t *out, const struct json *row, size_t first, size_t count,
		       int64_t max)
{
	for (size_t i = 0; i < count; i++) {
		const struct json *value = js_at(row, first + i);

		if (!js_is_int(value))
			return false;
		out[i] = js_int_value(value);
		if (out[i] < 0 || out[i] > max)
			return false;
	}
	return true;
}

static int read_counts(struct census_sample *sample, const struct reading *reading,
		       const struct json *list, size_t at)
{
	size_t count = js_count(list);

	if (!count)
		return 0;
	sample->counts = calloc(count, sizeof(*sample->counts));
	if (!sample->counts)
		return err_nomem(reading->err);
	for (size_t i = 0; i < count; i++) {
		struct census_count *out = &sample->counts[i];
		const struct json *pair = js_at(list, i);
		const char *generation = text_at(reading, pair, 0);
		int64_t sessions;

		if (!generation || strlen(generation) >= sizeof(out->generation) ||
		    !numbers_of(&sessions, pair, 1, 1, SESSION_MAX))
			return damaged(reading, "samples", at, "has no generation in its counts");
		memcpy(out->generation, generation, strlen(generation) + 1);
		out->sessions = (size_t)sessions;
		sample->count_count++;
	}
	return 0;
}

static int read_sample(struct census *census, const struct reading *reading, const struct json *row,
		       size_t at)
{
	struct census_sample *sample = census_new_sample(census);
	const struct json *missed = js_at(row, 9);
	int64_t when, n[7];
	int rc;

	if (!sample)
		return err_nomem(reading->err);
	if (!js_is_array(row) || js_count(row) != 10 ||
	    !numbers_of(&when, row, 0, 1, CENSUS_TIME_MAX) ||
	    !numbers_of(n, row, 1, 7, SESSION_MAX) || !js_is_array(js_at(row, 8)) ||
	    !js_is_array(missed))
		return damaged(reading, "samples", at, "is not a sample");
	if (census->sample_count > 1 && census->samples[census->sample_count - 2].at >= when)
		return damaged(reading, "samples", at, "is not later than the one before");
	sample->at = when;
	sample->servers = (size_t)n[0];
	sample->answered = (size_t)n[1];
	sample->by_old = (size_t)n[2];
	sample->by_new = (size_t)n[3];
	sample->by_unknown = (size_t)n[4];
	sample->without = (size_t)n[5];
	sample->local = (size_t)n[6];
	rc = read_counts(sample, reading, js_at(row, 8), at);
	for (size_t i = 0; i < js_count(missed) && !rc; i++) {
		const char *text = text_at(reading, missed, i);

		rc = text ? strs_add(&sample->missed, text, reading->err)
			  : damaged(reading, "samples", at, "names no server that was missed");
	}
	return rc;
}

static int read_sighting(struct census *census, const struct reading *reading,
			 const struct json *row, size_t at)
{
	struct sighting sighting = {0};
	char **const texts[] = {&sighting.server,  &sighting.user,	 &sighting.application,
				&sighting.address, &sighting.generation, &sighting.leaf,
				&sighting.serial};
	const size_t text_count = sizeof(texts) / sizeof(texts[0]);
	int64_t n[3], when[4];

	if (!js_is_array(row) || js_count(row) != COLUMNS ||
	    !numbers_of(n, row, 7, 3, SESSION_MAX) ||
	    !numbers_of(when, row, 10, 4, CENSUS_TIME_MAX) || n[0] >= CENSUS_KIND__MAX || n[1] > 1)
		return damaged(reading, "sightings", at, "is not a sighting");
	for (size_t i = 0; i < text_count; i++) {
		const char *text = text_at(reading, row, i);

		/* What could not be made again would never be found again. */
		*texts[i] = text ? census_clean(text) : NULL;
		if (!text || (*texts[i] && strcmp(*texts[i], text) != 0)) {
			census_sighting_release(&sighting);
			return damaged(reading, "sightings", at, "has no text where one belongs");
		}
	}
	sighting.kind = (enum census_kind)n[0];
	sighting.replication = n[1] == 1;
	sighting.sessions = (size_t)n[2];
	sighting.first_seen = when[0];
	sighting.last_seen = when[1];
	sighting.oldest_since = when[2];
	sighting.newest_since = when[3];
	if (census_append(census, &sighting, NULL, reading->err))
		return err_prefix(reading->err, "%s: sightings[%zu]", reading->name, at);
	return 0;
}

static int read_lists(struct census *out, struct reading *reading, const struct json *root)
{
	const struct json *samples = js_get(root, "samples"),
			  *sightings = js_get(root, "sightings");
	int rc = 0;

	reading->texts = js_get(root, "texts");
	if (!js_is_array(reading->texts) || !js_is_array(samples) || !js_is_array(sightings))
		return err_set(reading->err, ERR_FAIL,
			       "%s: 'texts', 'samples' and 'sightings' are not three lists",
			       reading->name);
	if (js_count(samples) > CENSUS_SAMPLES_MAX ||
	    js_count(sightings) > (size_t)2 * CENSUS_SIGHTINGS_MAX)
		return err_set(reading->err, ERR_FAIL, "%s: it has more than was ever written",
			       reading->name);
	for (size_t i = 0; i < js_count(samples) && !rc; i++)
		rc = read_sample(out, reading, js_at(samples, i), i);
	for (size_t i = 0; i < js_count(sightings) && !rc; i++)
		rc = read_sighting(out, reading, js_at(sightings, i), i);
	return rc;
}

int census_damaged(struct err *err)
{
	return err_hint_default(err, "the record is damaged: remove the file; only sightings are "
				     "lost, and the quiet time begins anew");
}

int census_read(struct census *out, const struct json *root, const char *name, struct err *err)
{
	struct reading reading = {.name = name, .err = err};
	int64_t version = js_int(root, "version", 0);
	int rc = 0;

	*out = (struct census)CENSUS_INIT;
	if (version != VERSION) {
		rc = err_set(err, ERR_FAIL,
			     "%s: version %lld of the record; this certrotate reads %d", name,
			     (long long)version, VERSION);
		err_hint(err, "it was written by another certrotate: use that one");
	}
	rc = rc ? rc : read_lists(out, &reading, root);
	if (rc) {
		census_release(out);
		(void)census_damaged(err);
	}
	return rc;
}

int census_parse(struct census *out, const char *text, size_t len, const char *name,
		 struct err *err)
{
	struct json *root = NULL;
	int rc = js_parse(&root, text, len, name, err);

	*out = (struct census)CENSUS_INIT;
	rc = rc ? census_damaged(err) : census_read(out, root, name, err);
	js_free(root);
	return rc;
}
