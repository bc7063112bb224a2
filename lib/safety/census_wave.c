/* SPDX-License-Identifier: PostgreSQL */
#include "safety/census_wave.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sys.h"

#define PLACE_SIZE 512

/* What was seen of one user. */
struct seen {
	int64_t begun, ended;
	bool switched;
	const struct sighting *late;  /* a login with another certificate, in the newest sample */
	const struct sighting *other; /* with anything else, newest */
};

struct look {
	const struct census_wave *wave;
	struct strmap users; /* name to its place */
	struct strmap
		places; /* "USER\nAPPLICATION\nADDRESS" to the newest login with the new one */
	struct seen *seen;
};

static const char *who(const struct sighting *sighting)
{
	return sighting->leaf[0] ? sighting->leaf : sighting->user;
}

static bool is_new(const struct look *look, const struct sighting *sighting)
{
	return sighting->kind == CENSUS_CERTIFICATE &&
	       !strcmp(sighting->generation, look->wave->keep);
}

static char *place_key(const struct sighting *sighting)
{
	return str_fmt("%s\n%s\n%s", who(sighting), sighting->application, sighting->address);
}

static int note_new(struct look *look, struct err *err)
{
	const struct census *census = look->wave->census;
	int rc = 0;

	for (size_t i = 0; i < census->sighting_count && !rc; i++) {
		const struct sighting *sighting = &census->sightings[i];
		size_t user, newest = 0;
		char *key;

		if (!is_new(look, sighting) || !strmap_get(&look->users, who(sighting), &user) ||
		    sighting->last_seen < look->seen[user].begun)
			continue;
		look->seen[user].switched = true;
		key = place_key(sighting);
		if (!key)
			rc = err_nomem(err);
		else if (!strmap_get(&look->places, key, &newest) ||
			 newest < (size_t)sighting->newest_since)
			rc = strmap_put(&look->places, key, (size_t)sighting->newest_since, err);
		free(key);
	}
	return rc;
}

static bool is_open(const struct look *look, const struct sighting *sighting)
{
	const struct census *census = look->wave->census;

	return sighting->last_seen >= census->samples[census->sample_count - 1].at;
}

static bool is_late(const struct look *look, const struct sighting *sighting, int64_t ended)
{
	char *key;
	size_t newest = 0;
	bool moved;

	if (sighting->kind != CENSUS_CERTIFICATE || sighting->newest_since <= ended ||
	    !is_open(look, sighting))
		return false;
	key = place_key(sighting);
	moved = key && strmap_get(&look->places, key, &newest) &&
		newest >= (size_t)sighting->newest_since;
	free(key);
	return !moved;
}

static void note_others(struct look *look)
{
	const struct census *census = look->wave->census;

	for (size_t i = 0; i < census->sighting_count; i++) {
		const struct sighting *sighting = &census->sightings[i];
		struct seen *seen;
		size_t user;

		if (is_new(look, sighting) || sighting->kind == CENSUS_LOCAL ||
		    !strmap_get(&look->users, who(sighting), &user))
			continue;
		seen = &look->seen[user];
		if (is_late(look, sighting, seen->ended))
			seen->late = sighting;
		if (!seen->other || sighting->last_seen > seen->other->last_seen)
			seen->other = sighting;
	}
}

/* "with that of g1 (application 'web' from 10.0.4.7 on db1.example.com, at 2026-…)" */
static void instead(char out[PLACE_SIZE], const struct sighting *sighting)
{
	char at[SYS_TIME_SIZE];
	bool known = strcmp(sighting->generation, CENSUS_UNKNOWN) != 0;

	sys_time_text(sighting->last_seen, at);
	(void)snprintf(out, PLACE_SIZE, "%s%s (%s%s%s%s%s on %s, at %s)",
		       sighting->kind != CENSUS_CERTIFICATE ? "without a certificate"
		       : known				    ? "with that of "
			       : "with a certificate of no known generation",
		       sighting->kind == CENSUS_CERTIFICATE && known ? sighting->generation : "",
		       sighting->application[0] ? "application '" : "", sighting->application,
		       sighting->application[0] ? "' " : "",
		       sighting->address[0] ? "from " : "over a socket", sighting->address,
		       sighting->server, at);
}

static int say(struct findings *out, const struct look *look, size_t number, struct err *err)
{
	const struct census_wave_user *user = &look->wave->users[number];
	const struct seen *seen = &look->seen[number];
	char place[PLACE_SIZE], since[SYS_TIME_SIZE];
	char *subject, *advice;
	int rc;

	if (seen->switched && !seen->late)
		return 0;
	sys_time_text(seen->switched ? seen->ended : seen->begun, since);
	subject = str_fmt("client %s", user->name);
	advice = str_fmt(
		"see what application %s does; where the census cannot see it, 'certrotate "
		"ack --app %s' confirms it",
		user->application, user->application);
	if (!subject || !advice) {
		rc = err_nomem(err);
	} else if (seen->switched) {
		instead(place, seen->late);
		rc = findings_add(out, "wave-unseen", SEVERITY_BLOCK, subject, advice, err,
				  "logged in %s, although it has that of %s since %s", place,
				  look->wave->keep, since);
	} else if (seen->other) {
		instead(place, seen->other);
		rc = findings_add(out, "wave-unseen", SEVERITY_BLOCK, subject, advice, err,
				  "was not seen with its certificate of %s since it was given it "
				  "(%s), but %s",
				  look->wave->keep, since, place);
	} else {
		rc = findings_add(out, "wave-unseen", SEVERITY_BLOCK, subject, advice, err,
				  "was not seen with its certificate of %s since it was given it "
				  "(%s), nor with any other",
				  look->wave->keep, since);
	}
	free(subject);
	free(advice);
	return rc;
}

static int note_users(struct look *look, struct err *err)
{
	const struct census_wave *wave = look->wave;
	int rc = 0;

	for (size_t i = 0; i < wave->count && !rc; i++) {
		const struct census_wave_user *user = &wave->users[i];
		size_t first = i;

		if (!strmap_get(&look->users, user->name, &first)) {
			rc = strmap_put(&look->users, user->name, i, err);
			look->seen[i] = (struct seen){.begun = user->begun, .ended = user->ended};
			continue;
		}
		if (user->begun < look->seen[first].begun)
			look->seen[first].begun = user->begun;
		if (user->ended > look->seen[first].ended)
			look->seen[first].ended = user->ended;
	}
	return rc;
}

static bool is_first(const struct look *look, size_t number)
{
	size_t first = number;

	return strmap_get(&look->users, look->wave->users[number].name, &first) && first == number;
}

int census_wave_check(struct findings *out, const struct census_wave *wave, struct err *err)
{
	struct look look = {.wave = wave, .users = STRMAP_INIT, .places = STRMAP_INIT};
	int rc = 0;

	look.seen = calloc(wave->count + 1, sizeof(*look.seen));
	if (!look.seen)
		return err_nomem(err);
	rc = note_users(&look, err);
	rc = rc ? rc : note_new(&look, err);
	if (!rc && wave->census->sample_count)
		note_others(&look);
	for (size_t i = 0; i < wave->count && !rc; i++)
		rc = is_first(&look, i) ? say(out, &look, i, err) : 0;
	free(look.seen);
	strmap_release(&look.users);
	strmap_release(&look.places);
	return rc;
}
