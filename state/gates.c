/* SPDX-License-Identifier: PostgreSQL */
#include "state/gates.h"

#include <stdlib.h>
#include <string.h>

#include "safety/census_gate.h"
#include "state/rehearsal.h"

#define SURVIVORS_NAMED 50

enum phase gates_ack_phase(const struct store *store)
{
	if (store->under_way.active)
		return PHASE__MAX;
	if (store->state == STATE_TRUSTED)
		return PHASE_TRUST;
	return store->state == STATE_CLIENTS_SWITCHED ? PHASE_CLIENTS : PHASE__MAX;
}

/* "AUTHORITY/NAME" is not what an application knows: any authority's leaf of that name counts. */
bool gates_has_client(const struct generation *gen, const char *user)
{
	for (size_t a = 0; a < gen->authority_count; a++) {
		const struct gen_leaf *leaf = generation_leaf(gen, gen->authorities[a].name, user);

		if (leaf && leaf->kind == LEAF_CLIENT)
			return true;
	}
	return false;
}

bool gates_concerns(const struct application *app, const struct generation *gen)
{
	for (size_t i = 0; i < app->users.count; i++) {
		if (gates_has_client(gen, app->users.items[i]))
			return true;
	}
	return false;
}

static const char *nearest_client(const struct generation *gen, const char *user)
{
	const char **names = calloc(gen->leaf_count + 1, sizeof(*names));
	const char *found = NULL;
	size_t count = 0;

	for (size_t i = 0; names && i < gen->leaf_count; i++) {
		if (gen->leaves[i].kind == LEAF_CLIENT)
			names[count++] = gen->leaves[i].name;
	}
	if (names)
		found = str_nearest(user, names, count);
	free(names);
	return found;
}

static int say_stranger(struct findings *out, const struct application *app, const char *user,
			enum severity severity, const char *env, const struct generation *gen,
			struct err *err)
{
	const char *near = nearest_client(gen, user);
	char *subject = str_fmt("application %s", app->name);
	char *advice = near ? str_fmt("did you mean '%s'?", near)
			    : str_fmt("see applications.%s.users in certrotate.yml, and the "
				      "clients of the chain's description",
				      app->name);
	int rc = subject && advice
			 ? findings_add(out, "application-user", severity, subject, advice, err,
					"its user '%s' has no client certificate in %s: nobody "
					"waits for it",
					user, env)
			 : err_nomem(err);

	free(subject);
	free(advice);
	return rc;
}

int gates_strangers(struct findings *out, const struct config *config, const char *env,
		    const struct generation *gen, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; i < config->application_count && !rc; i++) {
		const struct application *app = &config->applications[i];
		bool expected = config->environment_count == 1 || gates_concerns(app, gen);

		for (size_t u = 0; u < app->users.count && !rc; u++) {
			if (!gates_has_client(gen, app->users.items[u]))
				rc = say_stranger(out, app, app->users.items[u],
						  expected ? SEVERITY_WARNING : SEVERITY_INFO, env,
						  gen, err);
		}
	}
	return rc;
}

static int check_applications(struct findings *out, const struct session *session,
			      const struct gates_input *in, struct err *err)
{
	const struct config *config = session->config;
	int rc = 0;

	for (size_t i = 0; i < config->application_count && !rc; i++) {
		const struct application *app = &config->applications[i];
		char *subject, *advice;

		if (store_ack(&session->store, app->name, PHASE_TRUST) ||
		    (in->stays && !gates_concerns(app, in->stays)))
			continue;
		subject = str_fmt("application %s", app->name);
		advice = str_fmt("have %s load the new bundle, then type 'certrotate ack --app %s'",
				 app->contact[0] ? app->contact : "its administrators", app->name);
		rc = subject && advice
			     ? findings_add(out, "application", SEVERITY_BLOCK, subject, advice,
					    err,
					    "has not confirmed that it trusts the new chain: its "
					    "clients would refuse the servers' new certificates")
			     : err_nomem(err);
		free(subject);
		free(advice);
	}
	return rc;
}

/* Users whose administrators said that they are through with that phase. */
static int confirmed(struct strmap *out, const struct session *session, enum phase phase,
		     struct err *err)
{
	const struct config *config = session->config;
	int rc = 0;

	for (size_t i = 0; i < config->application_count; i++) {
		const struct application *app = &config->applications[i];

		if (!store_ack(&session->store, app->name, phase))
			continue;
		for (size_t u = 0; u < app->users.count && !rc; u++)
			rc = strmap_put(out, app->users.items[u], 1, err);
	}
	return rc;
}

static int client_users(struct strs *out, const struct generation *gen, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; gen && i < gen->leaf_count && !rc; i++) {
		if (gen->leaves[i].kind == LEAF_CLIENT)
			rc = strs_add(out, gen->leaves[i].name, err);
	}
	return rc;
}

/* What the gate's question is, for one direction or the other. */
static bool frame(struct census_gate *gate, const struct session *session,
		  const struct transition *row)
{
	const struct store *store = &session->store;
	bool back = row->direction == DIRECTION_BACK;
	enum direction given = back ? DIRECTION_BACK : DIRECTION_FORWARD;

	gate->env = session->env->name;
	gate->keep = back ? store->old_gen : store->new_gen;
	gate->since = store_when(store, PHASE_CLIENTS, given);
	gate->servers_since = store_when(store, PHASE_SERVERS, given);
	gate->quiet = session->env->census_quiet;
	gate->samples = session->env->census_samples;
	if (back && !gate->since) {
		/* No client ever got the new one: it is enough that nobody shows it now. */
		gate->since = store_when(store, PHASE_TRUST, DIRECTION_FORWARD);
		gate->quiet = 0;
		gate->samples = 0;
		return false;
	}
	return true;
}

static int check_census(struct findings *out, struct session *session, const struct gates_input *in,
			struct err *err)
{
	struct census census = CENSUS_INIT;
	struct census_options options = {.skip = in->skip};
	struct census_run run = {.findings = FINDINGS_INIT};
	struct strs users = STRS_INIT;
	struct strmap words = STRMAP_INIT;
	struct census_gate gate = {
		.census = &census, .users = &users, .given_up = in->skip, .confirmed = &words};
	bool was_given = frame(&gate, session, in->row);
	int rc;

	if (in->to)
		rc = census_run(&census, &run, session, &options, err);
	else
		rc = census_load(&census, session, err);
	gate.now = session->sys->now(session->sys);
	/* The moment of the sample is the present one: time went by while servers were asked. */
	if (!rc && in->to && census.sample_count)
		gate.now = census.samples[census.sample_count - 1].at;
	rc = rc || !was_given ? rc : client_users(&users, in->stays, err);
	rc = rc ? rc : confirmed(&words, session, PHASE_CLIENTS, err);
	rc = rc ? rc : census_gate_check(out, &gate, err);
	census_run_release(&run);
	census_release(&census);
	strs_release(&users);
	strmap_release(&words);
	return rc;
}

static bool takes_away(const struct transition *row)
{
	return (row->phase == PHASE_PRUNE && row->direction == DIRECTION_FORWARD) ||
	       (row->phase == PHASE_TRUST && row->direction == DIRECTION_BACK);
}

int gates_check(struct findings *out, struct session *session, const struct gates_input *in,
		struct err *err)
{
	int rc = 0;

	if (in->row->phase == PHASE_SERVERS && in->row->direction == DIRECTION_FORWARD)
		return check_applications(out, session, in, err);
	if (!takes_away(in->row))
		return 0;
	if (session->env->census_samples)
		rc = check_census(out, session, in, err);
	return rc || !in->to ? rc : rehearse(out, session, in->to, in->skip, err);
}

static int say_survivor(struct findings *out, const struct sighting *sighting, struct err *err)
{
	char since[SYS_TIME_SIZE];
	char *subject = str_fmt("client %s", sighting->user);
	int rc;

	sys_time_text(sighting->oldest_since, since);
	rc = subject ? findings_add(
			       out, "survivor", SEVERITY_WARNING, subject,
			       "end it where the old key may be in wrong hands: SELECT "
			       "pg_terminate_backend(pid) FROM pg_stat_ssl WHERE client_serial "
			       "= …",
			       err,
			       "%zu session%s from %s on %s, since %s, with a certificate of "
			       "%s (serial %s)",
			       sighting->sessions, sighting->sessions == 1 ? "" : "s",
			       sighting->address[0] ? sighting->address : "a socket",
			       sighting->server, since,
			       strcmp(sighting->generation, CENSUS_UNKNOWN) ? sighting->generation
									    : "no known generation",
			       sighting->serial)
		     : err_nomem(err);
	free(subject);
	return rc;
}

int gates_say_survivors(struct findings *out, const struct census *census,
			const struct census_run *run, const char *env, const char *live,
			struct err *err)
{
	int64_t at = census->sample_count ? census->samples[census->sample_count - 1].at : 0;
	size_t found = 0;
	int rc = 0;

	for (size_t i = 0; i < census->sighting_count && !rc; i++) {
		const struct sighting *sighting = &census->sightings[i];

		if (sighting->kind != CENSUS_CERTIFICATE || sighting->last_seen < at ||
		    !strcmp(sighting->generation, live))
			continue;
		if (found++ < SURVIVORS_NAMED)
			rc = say_survivor(out, sighting, err);
	}
	if (!rc && found > SURVIVORS_NAMED)
		rc = findings_add(out, "survivor", SEVERITY_WARNING, env,
				  "'certrotate census' lists them", err,
				  "%zu more such session%s, by user, application and address",
				  found - SURVIVORS_NAMED, found == SURVIVORS_NAMED + 1 ? "" : "s");
	for (size_t i = 0; i < run->findings.count && !rc; i++) {
		const struct finding *finding = &run->findings.items[i];

		/* A pooler's reason ends with just that. */
		rc = findings_add(out, "survivor", SEVERITY_WARNING, finding->subject,
				  finding->advice, err, "%s%s",
				  strcmp(finding->check, "census-pooler")
					  ? "who is still connected there is not known: "
					  : "",
				  finding->reason);
	}
	return rc;
}

int gates_survivors(struct findings *out, struct session *session, const char *live,
		    struct err *err)
{
	struct census census = CENSUS_INIT;
	struct census_options options = {.skip = NULL};
	struct census_run run = {.findings = FINDINGS_INIT};
	int rc = census_run(&census, &run, session, &options, err);

	rc = rc ? rc : gates_say_survivors(out, &census, &run, session->env->name, live, err);
	census_run_release(&run);
	census_release(&census);
	return rc;
}
