/* SPDX-License-Identifier: PostgreSQL */
#include "safety/census_gate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sys.h"

#define USERS_NAMED 30 /* each by a finding of its own; more of them are counted */
#define PLACE_SIZE  512
#define TIME_LEFT   32

struct check {
	const struct census_gate *gate;
	struct findings *out;
	int64_t from;	    /* the quiet period's begin, as far as the phase allows */
	int64_t last_old;   /* when the old one was seen in use last; 0: not since the phase */
	struct strmap kept; /* users seen with what stays: the newest login */
	struct strmap at;   /* "USER\nAPPLICATION\nADDRESS" likewise */
	struct strmap old; /* users who are connected with the old one by a login since the phase */
};

static bool is_confirmed(const struct check *check, const char *user)
{
	size_t when;

	return check->gate->confirmed && strmap_get(check->gate->confirmed, user, &when);
}

static const char *who(const struct sighting *sighting)
{
	return sighting->leaf[0] ? sighting->leaf : sighting->user;
}

static bool is_kept(const struct check *check, const struct sighting *sighting)
{
	return sighting->kind == CENSUS_CERTIFICATE &&
	       !strcmp(sighting->generation, check->gate->keep);
}

static bool is_old(const struct check *check, const struct sighting *sighting)
{
	return sighting->kind == CENSUS_CERTIFICATE && !is_kept(check, sighting) &&
	       sighting->last_seen >= check->gate->since;
}

static bool is_open(const struct check *check, const struct sighting *sighting)
{
	const struct census *census = check->gate->census;

	return census->sample_count &&
	       sighting->last_seen >= census->samples[census->sample_count - 1].at;
}

static bool is_given_up(const struct check *check, const char *server)
{
	return check->gate->given_up && strs_has(check->gate->given_up, server);
}

static char *place_key(const struct sighting *sighting)
{
	return str_fmt("%s\n%s\n%s", who(sighting), sighting->application, sighting->address);
}

/* "application 'billing' from 10.0.4.7 on db1.example.com" */
static void place(char out[PLACE_SIZE], const struct sighting *sighting)
{
	(void)snprintf(out, PLACE_SIZE, "%s%s%s%s%s%s on %s",
		       sighting->application[0] ? "application '" : "", sighting->application,
		       sighting->application[0] ? "' " : "",
		       sighting->replication ? "(replication) " : "",
		       sighting->address[0] ? "from " : "over a socket", sighting->address,
		       sighting->server);
}

static int put_newest(struct strmap *map, const char *key, int64_t when, struct err *err)
{
	size_t known = 0;

	if (strmap_get(map, key, &known) && known >= (size_t)when)
		return 0;
	return strmap_put(map, key, (size_t)when, err);
}

/* Who was seen with what stays, since it was given out, and where. */
static int note_kept(struct check *check, struct err *err)
{
	const struct census *census = check->gate->census;
	int rc = 0;

	for (size_t i = 0; i < census->sighting_count && !rc; i++) {
		const struct sighting *sighting = &census->sightings[i];
		char *key;

		if (!is_kept(check, sighting) || sighting->last_seen < check->gate->since)
			continue;
		key = place_key(sighting);
		rc = key ? put_newest(&check->kept, who(sighting), sighting->newest_since, err)
			 : err_nomem(err);
		rc = rc ? rc : put_newest(&check->at, key, sighting->newest_since, err);
		free(key);
	}
	return rc;
}

static int check_unseen(struct check *check, struct err *err)
{
	const struct strs *users = check->gate->users;
	char since[SYS_TIME_SIZE];
	size_t named = 0, more = 0;
	int rc = 0;

	sys_time_text(check->gate->since, since);
	for (size_t i = 0; i < users->count && !rc; i++) {
		char subject[300];
		size_t when;

		if (strmap_get(&check->kept, users->items[i], &when) ||
		    is_confirmed(check, users->items[i]))
			continue;
		if (named++ >= USERS_NAMED) {
			more++;
			continue;
		}
		(void)snprintf(subject, sizeof(subject), "client %s", users->items[i]);
		rc = findings_add(
			check->out, "census-unseen", SEVERITY_BLOCK, subject,
			"have it log in and run 'certrotate census'; or have its administrators "
			"confirm with 'certrotate ack --app NAME'",
			err, "was never seen with its certificate of %s since it was given it (%s)",
			check->gate->keep, since);
	}
	if (!rc && more)
		rc = findings_add(check->out, "census-unseen", SEVERITY_BLOCK, check->gate->env,
				  "'certrotate census' lists all of them", err,
				  "%zu more users were never seen with their certificate of %s",
				  more, check->gate->keep);
	return rc;
}

/* The places of one user's sightings that matter, said once, by the one that was seen last. */
struct offender {
	const struct sighting *last;
	size_t places;
};

struct offenders {
	struct offender *items;
	size_t count;
	struct strmap index;
};

static int offenders_add(struct offenders *list, const struct sighting *sighting, struct err *err)
{
	struct offender *items;
	size_t i;

	if (strmap_get(&list->index, who(sighting), &i) && i < list->count) {
		list->items[i].places++;
		if (sighting->last_seen > list->items[i].last->last_seen)
			list->items[i].last = sighting;
		return 0;
	}
	items = realloc(list->items, (list->count + 1) * sizeof(*items));
	if (!items)
		return err_nomem(err);
	list->items = items;
	items[list->count] = (struct offender){sighting, 1};
	return strmap_put(&list->index, who(sighting), list->count++, err);
}

static void offenders_release(struct offenders *list)
{
	free(list->items);
	strmap_release(&list->index);
}

struct saying {
	const char *check;
	const char *advice;
	const char *reason;
	bool generation; /* the reason ends with the generation's name */
};

/* Says each by name, with where it was seen last, and in how many places more. */
static int report(struct check *check, const struct offenders *list, const struct saying *saying,
		  struct err *err)
{
	int rc = 0;

	for (size_t i = 0; i < list->count && !rc; i++) {
		const struct offender *offender = &list->items[i];
		char subject[300], where[PLACE_SIZE], ago[TIME_LEFT], more[64] = "";

		if (i == USERS_NAMED)
			return findings_add(check->out, saying->check, SEVERITY_BLOCK,
					    check->gate->env,
					    "'certrotate census' lists all of them", err,
					    "%zu more users likewise", list->count - i);
		(void)snprintf(subject, sizeof(subject), "client %s", who(offender->last));
		place(where, offender->last);
		sys_duration_text(check->gate->now - offender->last->last_seen, ago, sizeof(ago));
		if (offender->places > 1)
			(void)snprintf(more, sizeof(more), ", and in %zu other place%s",
				       offender->places - 1, offender->places > 2 ? "s" : "");
		rc = findings_add(check->out, saying->check, SEVERITY_BLOCK, subject,
				  saying->advice, err, "%s%s (%s, seen %s ago%s)", saying->reason,
				  saying->generation ? offender->last->generation : "", where, ago,
				  more);
	}
	return rc;
}

static const struct saying says_old = {
	"census-old", "give it its new certificate and have it log in anew: it would be refused",
	"still logs in with its certificate of ", true};
static const struct saying says_unknown = {
	"census-unknown",
	"find out who issued it: nothing in the repository knows its serial, and what the chain "
	"that goes has signed is refused afterwards",
	"logs in with a certificate of no known generation", false};
static const struct saying says_held = {
	"census-held",
	"have it log in anew (pg_terminate_backend ends a session), or have its administrators "
	"confirm with 'certrotate ack --app NAME'",
	"holds a session from before it was given its other certificate, with that of ", true};
static const struct saying says_unclear = {
	"census-unclear",
	"have it log in anew: a login shows that it trusts what the servers show now; or have its "
	"administrators confirm with 'certrotate ack --app NAME'",
	"holds a session without a certificate from before the servers were switched: whether it "
	"trusts what they show now is not known",
	false};
static const struct saying says_pooler = {
	"census-pooler",
	"see that what the pooler shows to its clients, and what they trust, is renewed as well; "
	"then have its administrators confirm with 'certrotate ack --app NAME'",
	"its certificate carries the sessions of several users, as a pooler's does: who is behind "
	"it is not seen",
	false};

static int check_old(struct check *check, struct err *err)
{
	const struct census_gate *gate = check->gate;
	const struct census *census = gate->census;
	struct offenders known = {0}, unknown = {0};
	int rc = 0;

	for (size_t i = 0; i < census->sighting_count && !rc; i++) {
		const struct sighting *sighting = &census->sightings[i];

		if (!is_old(check, sighting) || sighting->newest_since < gate->since)
			continue;
		if (sighting->last_seen > check->last_old)
			check->last_old = sighting->last_seen;
		if (is_open(check, sighting))
			rc = strmap_put(&check->old, who(sighting), 1, err);
		if (!rc && sighting->last_seen >= gate->now - gate->quiet)
			rc = offenders_add(strcmp(sighting->generation, CENSUS_UNKNOWN) ? &known
											: &unknown,
					   sighting, err);
	}
	rc = rc ? rc : report(check, &known, &says_old, err);
	rc = rc ? rc : report(check, &unknown, &says_unknown, err);
	offenders_release(&known);
	offenders_release(&unknown);
	return rc;
}

/* The same client, seen with what stays in a login since the phase: the old session is a rest. */
static bool has_moved(const struct check *check, const struct sighting *sighting)
{
	char *key = place_key(sighting);
	size_t newest = 0;
	bool moved = key && strmap_get(&check->at, key, &newest) &&
		     newest >= (size_t)check->gate->since;

	free(key);
	return moved;
}

static int check_held(struct check *check, struct err *err)
{
	const struct census_gate *gate = check->gate;
	struct offenders held = {0}, unclear = {0};
	int rc = 0;

	for (size_t i = 0; i < gate->census->sighting_count && !rc; i++) {
		const struct sighting *sighting = &gate->census->sightings[i];
		size_t named;

		/* Who still logs in with the old one need not be told of older sessions. */
		if (!is_open(check, sighting) || is_confirmed(check, who(sighting)) ||
		    strmap_get(&check->old, who(sighting), &named))
			continue;
		if (is_old(check, sighting) && sighting->newest_since < gate->since &&
		    !has_moved(check, sighting))
			rc = offenders_add(&held, sighting, err);
		else if (sighting->kind == CENSUS_NO_CERTIFICATE &&
			 sighting->oldest_since < gate->servers_since)
			rc = offenders_add(&unclear, sighting, err);
	}
	rc = rc ? rc : report(check, &held, &says_held, err);
	rc = rc ? rc : report(check, &unclear, &says_unclear, err);
	offenders_release(&held);
	offenders_release(&unclear);
	return rc;
}

/* One certificate from one place, several users: who is behind it is not known. */
static int check_poolers(struct check *check, struct err *err)
{
	const struct census *census = check->gate->census;
	struct strmap first = STRMAP_INIT; /* "LEAF\nADDRESS" to the number of its first sighting */
	struct offenders poolers = {0};
	int rc = 0;

	for (size_t i = 0; i < census->sighting_count && !rc; i++) {
		const struct sighting *sighting = &census->sightings[i];
		size_t other;
		char *key;

		if (sighting->kind != CENSUS_CERTIFICATE || !sighting->leaf[0] ||
		    sighting->last_seen < check->from || is_confirmed(check, sighting->leaf) ||
		    is_confirmed(check, sighting->user))
			continue;
		key = str_fmt("%s\n%s", sighting->leaf, sighting->address);
		if (!key)
			rc = err_nomem(err);
		else if (!strmap_get(&first, key, &other))
			rc = strmap_put(&first, key, i, err);
		else if (strcmp(census->sightings[other].user, sighting->user) != 0)
			rc = offenders_add(&poolers, sighting, err);
		free(key);
	}
	rc = rc ? rc : report(check, &poolers, &says_pooler, err);
	strmap_release(&first);
	offenders_release(&poolers);
	return rc;
}

static int check_quiet(struct check *check, struct err *err)
{
	const struct census_gate *gate = check->gate;
	int64_t begin = check->last_old > gate->since ? check->last_old : gate->since;
	char since[SYS_TIME_SIZE], until[SYS_TIME_SIZE], done[TIME_LEFT], due[TIME_LEFT];

	if (gate->now - begin >= gate->quiet)
		return 0;
	sys_time_text(begin, since);
	sys_time_text(begin + gate->quiet, until);
	sys_duration_text(gate->now - begin, done, sizeof(done));
	sys_duration_text(gate->quiet, due, sizeof(due));
	return findings_add(check->out, "census-quiet", SEVERITY_BLOCK, gate->env,
			    "wait, with 'certrotate census --record' in a timer", err,
			    "%s %s (%s ago); the quiet period of %s ends at %s",
			    check->last_old ? "the old certificates were seen last at"
					    : "the clients have their new certificates since",
			    since, done, due, until);
}

/* Whether all servers that count answered; else why is the first that did not. */
static bool reached_all(const struct check *check, const struct census_sample *sample,
			const char **why)
{
	if (!sample->servers)
		*why = "no PostgreSQL server is among the endpoints";
	for (size_t i = 0; i < sample->missed.count; i++) {
		const char *missed = sample->missed.items[i];
		const char *colon = strstr(missed, ": ");
		char *server = strndup(missed, colon ? (size_t)(colon - missed) : strlen(missed));
		bool counts = !server || !is_given_up(check, server);

		free(server);
		if (counts) {
			*why = missed;
			return false;
		}
	}
	return sample->servers > 0;
}

/* Runs in a heap are one look: those that count lie apart. */
static int check_samples(struct check *check, struct err *err)
{
	const struct census_gate *gate = check->gate;
	int64_t apart = gate->quiet / (2 * (int64_t)gate->samples), last = 0;
	const char *why = NULL;
	char when[SYS_TIME_SIZE] = "", due[TIME_LEFT];
	unsigned good = 0;

	for (size_t i = 0; i < gate->census->sample_count; i++) {
		const struct census_sample *sample = &gate->census->samples[i];

		if (sample->at < check->from)
			continue;
		if (!reached_all(check, sample, &why)) {
			sys_time_text(sample->at, when);
		} else if (!good || sample->at - last >= apart) {
			good++;
			last = sample->at;
		}
	}
	if (good >= gate->samples)
		return 0;
	sys_duration_text(gate->quiet, due, sizeof(due));
	return findings_add(
		check->out, "census-samples", SEVERITY_BLOCK, gate->env,
		"run 'certrotate census' now and then, or let a timer run 'certrotate "
		"census --record'",
		err, "%u of %u runs of the census in the last %s reached every server%s%s%s%s",
		good, gate->samples, due, why ? "; at " : "", when, why ? ": " : "",
		why ? why : "");
}

int census_gate_check(struct findings *out, const struct census_gate *gate, struct err *err)
{
	struct check check = {.gate = gate,
			      .out = out,
			      .kept = STRMAP_INIT,
			      .at = STRMAP_INIT,
			      .old = STRMAP_INIT};
	int rc;

	check.from = gate->now - gate->quiet;
	check.from = check.from < gate->since ? gate->since : check.from;
	rc = note_kept(&check, err);
	rc = rc ? rc : check_old(&check, err);
	rc = rc ? rc : check_unseen(&check, err);
	rc = rc ? rc : check_held(&check, err);
	rc = rc ? rc : check_poolers(&check, err);
	rc = rc ? rc : check_quiet(&check, err);
	rc = rc || !gate->samples ? rc : check_samples(&check, err);
	strmap_release(&check.kept);
	strmap_release(&check.at);
	strmap_release(&check.old);
	return rc;
}
