/* SPDX-License-Identifier: PostgreSQL */
#include "state/access.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "state/access_internal.h"
#include "state/login.h"

#define BATCH	      ((size_t)64)   /* servers whose answers are kept at a time */
#define DATABASES_MAX ((size_t)100)  /* of a server that are looked into */
#define LOGINS_MAX    ((size_t)5000) /* into databases, of all servers together */

/* The names of a user's two leaves, made once. */
struct user {
	const char *name;
	char *dn[2];
	struct access_leaf leaf[2]; /* old, new */
	bool has_old;
};

struct looking {
	struct access_look *out;
	struct session *session;
	const struct access_options *options;
	struct loop *loop;
	const struct gen_leaf *login;
	struct user *users;
	size_t user_count;
	struct access_report *report;
	struct access_notes notes;
	size_t logins; /* into further databases */
	bool first_scram;
};

static int add_user(struct looking *looking, const struct gen_leaf *newer, struct err *err)
{
	const struct generation *old_gen = looking->options->old_gen;
	const struct gen_leaf *old =
		old_gen ? generation_leaf(old_gen, newer->authority, newer->name) : NULL;
	struct user *user = &looking->users[looking->user_count];
	int rc = cert_dn(&user->dn[1], newer->cert, err);

	if (rc)
		return rc;
	looking->user_count++;
	user->name = newer->name;
	user->leaf[1] = (struct access_leaf){cert_common_name(newer->cert), user->dn[1]};
	user->has_old = old != NULL;
	rc = old ? cert_dn(&user->dn[0], old->cert, err) : 0;
	if (!rc && old)
		user->leaf[0] = (struct access_leaf){cert_common_name(old->cert), user->dn[0]};
	return rc;
}

static int collect_users(struct looking *looking, struct err *err)
{
	const struct generation *gen = looking->options->new_gen;
	int rc = 0;

	looking->users = calloc((gen ? gen->leaf_count : 0) + 1, sizeof(*looking->users));
	if (!looking->users)
		return err_nomem(err);
	for (size_t i = 0; gen && i < gen->leaf_count && !rc; i++) {
		if (gen->leaves[i].kind == LEAF_CLIENT)
			rc = add_user(looking, &gen->leaves[i], err);
	}
	return rc;
}

static void add_scram(struct looking *looking, enum proof_scram scram)
{
	enum proof_scram *all = &looking->out->scram;

	if (looking->first_scram || scram == PROOF_SCRAM_USED)
		*all = scram;
	else if (scram == PROOF_SCRAM_UNKNOWN && *all == PROOF_SCRAM_NOT_USED)
		*all = scram;
	looking->first_scram = false;
}

static int hold_users(struct looking *looking, const struct access_answer *answer, struct err *err)
{
	struct access *access = NULL;
	enum proof_scram scram;
	int rc = access_rules_read(&access, &scram, &looking->notes, answer, err);

	if (!rc)
		add_scram(looking, scram);
	for (size_t i = 0; i < looking->user_count && !rc && access; i++) {
		const struct user *user = &looking->users[i];

		rc = access_report_add(looking->report, access, user->name,
				       user->has_old ? &user->leaf[0] : NULL, &user->leaf[1], err);
	}
	access_free(access);
	return rc;
}

static int not_asked(struct looking *looking, const char *server, const struct pg_result *result,
		     struct err *err)
{
	const char *check = looking->options->new_gen ? "client-mapping" : "hidden-client";
	bool refused = result->outcome == PG_REFUSED_SERVER || result->outcome == PG_REFUSED_TLS;

	add_scram(looking, PROOF_SCRAM_UNKNOWN);
	return access_note_add(
		&looking->notes, check, pg_outcome_name(result->outcome), server,
		refused ? "let login.user of certrotate.yml in from here with its certificate"
			: NULL,
		err, "its rules and its own logins were not looked at: %s", result->message);
}

/* Databases that wait to be looked into: the endpoint of each, and its name. */
struct databases {
	size_t *endpoints;
	struct strs names;
};

static int queue_databases(struct looking *looking, struct databases *queue, size_t endpoint,
			   const char *server, const struct strs *names, struct err *err)
{
	size_t count = names->count < DATABASES_MAX ? names->count : DATABASES_MAX;
	size_t room = LOGINS_MAX - looking->logins;
	size_t *endpoints;
	char key[48];
	int rc = 0;

	count = count < room ? count : room;
	(void)snprintf(key, sizeof(key), "%zu databases", names->count - count);
	if (count < names->count)
		rc = access_note_add(&looking->notes, "hidden-client", key, server,
				     "look into pg_foreign_server of the others by hand", err,
				     "foreign servers of %zu of its databases were not looked at: "
				     "there are too many",
				     names->count - count);
	endpoints = realloc(queue->endpoints,
			    (queue->names.count + count + 1) * sizeof(*endpoints));
	if (!endpoints)
		return err_nomem(err);
	queue->endpoints = endpoints;
	for (size_t i = 0; i < count && !rc; i++) {
		endpoints[queue->names.count] = endpoint;
		rc = strs_add(&queue->names, names->items[i], err);
	}
	looking->logins += count;
	return rc;
}

static struct pg_item item_for(const struct looking *looking, const struct endpoint *endpoint,
			       const char *database)
{
	return (struct pg_item){.name = endpoint->name,
				.address = endpoint->address,
				.port = endpoint->port,
				.user = looking->login->name,
				.database = database,
				.cert_pem = looking->login->pem,
				.key = &looking->login->key,
				.roots_pem = login_bundle(looking->options->live, endpoint->name)};
}

static int read_database(struct looking *looking, const struct endpoint *endpoint,
			 const char *database, const struct pg_result *result, struct err *err)
{
	char *grant, *place;
	int rc;

	if (result->outcome == PG_ACCEPTED)
		return hidden_read_foreign(&looking->out->hidden, &looking->notes, endpoint->name,
					   database, looking->login->name, &result->rows[0], err);
	grant = str_fmt("let \"%s\" in to every database: CONNECT, and a line in pg_hba.conf",
			looking->login->name);
	place = access_note_place(endpoint->name, database);
	rc = grant && place
		     ? access_note_add(&looking->notes, "hidden-client", "database", place, grant,
				       err, "its foreign servers were not looked at: %s",
				       result->message)
		     : err_nomem(err);
	free(grant);
	free(place);
	return rc;
}

static int ask_databases(struct looking *looking, const struct endpoint *endpoints,
			 const struct databases *queue, struct err *err)
{
	const char *const *questions = access_questions() + ASK_FOREIGN;
	struct pg_results results = {0};
	struct pg_item *items = calloc(queue->names.count + 1, sizeof(*items));
	int rc = items ? 0 : err_nomem(err);

	for (size_t i = 0; i < queue->names.count && !rc; i++) {
		items[i] = item_for(looking, &endpoints[queue->endpoints[i]],
				    queue->names.items[i]);
		items[i].queries = questions;
		items[i].query_count = 1;
	}
	if (!rc && queue->names.count)
		rc = pg_logins_run(&results, looking->loop, items, queue->names.count, NULL, err);
	for (size_t i = 0; i < results.count && !rc; i++) {
		const struct pg_result *result = &results.items[i];

		rc = read_database(looking, &endpoints[queue->endpoints[result->item]],
				   queue->names.items[result->item], result, err);
	}
	pg_results_release(&results);
	free(items);
	return rc;
}

static int read_answer(struct looking *looking, struct databases *queue, size_t at,
		       const struct endpoint *endpoint, const struct pg_result *result,
		       enum question first, struct err *err)
{
	struct access_answer answer = {.server = endpoint->name,
				       .login = looking->login->name,
				       .version = result->server_version,
				       .rows = result->rows,
				       .first = first};
	struct strs names = STRS_INIT;
	int rc = 0;

	if (result->outcome != PG_ACCEPTED)
		return not_asked(looking, endpoint->name, result, err);
	looking->out->answered++;
	if (looking->options->new_gen)
		rc = hold_users(looking, &answer, err);
	if (!rc && looking->options->hidden) {
		rc = hidden_read(&looking->out->hidden, &names, &looking->notes, &answer, err);
		rc = rc ? rc : queue_databases(looking, queue, at, endpoint->name, &names, err);
	}
	strs_release(&names);
	return rc;
}

static int ask_batch(struct looking *looking, const struct endpoint *endpoints, size_t count,
		     struct err *err)
{
	enum question first = looking->options->new_gen ? ASK_RULES : ASK_LOGIN;
	enum question last = looking->options->hidden ? ASK_FOREIGN : ASK_LOGIN;
	struct pg_results results = {0};
	struct databases queue = {NULL, STRS_INIT};
	struct pg_item items[BATCH];
	int rc;

	for (size_t i = 0; i < count; i++) {
		items[i] = item_for(looking, &endpoints[i], looking->session->env->login_database);
		items[i].queries = access_questions() + first;
		items[i].query_count = (size_t)(last - first) + 1;
	}
	rc = pg_logins_run(&results, looking->loop, items, count, NULL, err);
	for (size_t i = 0; i < results.count && !rc; i++) {
		size_t at = results.items[i].item;

		rc = read_answer(looking, &queue, at, &endpoints[at], &results.items[i], first,
				 err);
	}
	pg_results_release(&results);
	rc = rc ? rc : ask_databases(looking, endpoints, &queue, err);
	free(queue.endpoints);
	strs_release(&queue.names);
	return rc;
}

/* Those that speak PostgreSQL and are not left out, at the front; the rest behind *count. */
static size_t choose(struct endpoints *endpoints, const struct strs *skip)
{
	size_t kept = 0;

	for (size_t i = 0; i < endpoints->count; i++) {
		struct endpoint endpoint = endpoints->items[i];

		if (endpoint.protocol != ENDPOINT_POSTGRES ||
		    (skip && strs_has(skip, endpoint.name)))
			continue;
		endpoints->items[i] = endpoints->items[kept];
		endpoints->items[kept++] = endpoint;
	}
	return kept;
}

static int ask_all(struct looking *looking, const struct endpoints *endpoints, size_t count,
		   struct err *err)
{
	struct session *session = looking->session;
	int rc = 0;

	if (!looking->login)
		return access_note_add(&looking->notes,
				       looking->options->new_gen ? "client-mapping"
								 : "hidden-client",
				       "", endpoints->items[0].name,
				       "give login.user in certrotate.yml a certificate and a key "
				       "in the inventory",
				       err,
				       "no client certificate with a key to log in with: the "
				       "servers' rules were not looked at");
	log_progress(session->log, "access: asking %zu server%s", count, count == 1 ? "" : "s");
	for (size_t i = 0; i < count && !rc; i += BATCH)
		rc = ask_batch(looking, &endpoints->items[i], count - i < BATCH ? count - i : BATCH,
			       err);
	log_progress(session->log, "%s", "");
	return rc;
}

static int look(struct looking *looking, struct err *err)
{
	struct access_look *out = looking->out;
	const struct access_options *options = looking->options;
	const struct target *live = options->live;
	struct session *session = looking->session;
	struct endpoints endpoints = {0};
	int rc = session_chain(session, err);

	rc = rc ? rc
		: environment_endpoints(&endpoints, session->config, session->env, session->chain,
					err);
	if (rc)
		return rc;
	looking->login = login_client_leaf(
		target_row(live->state)->clients == PICK_NEW ? live->new_gen : live->old_gen,
		session->env->login_user);
	out->asked = choose(&endpoints, options->skip);
	rc = collect_users(looking, err);
	rc = rc ? rc : access_report_new(&looking->report, err);
	if (!rc && out->asked)
		rc = ask_all(looking, &endpoints, out->asked, err);
	rc = rc ? rc : access_report_findings(&out->findings, looking->report, err);
	rc = rc ? rc : hidden_findings(&out->findings, &out->hidden, options->phase, err);
	rc = rc ? rc : access_notes_findings(&out->findings, &looking->notes, err);
	for (int i = 0; i < ACCESS__MAX && !rc; i++)
		out->verdicts[i] = access_report_count(looking->report, (enum access_verdict)i);
	endpoints_release(&endpoints);
	return rc;
}

int access_look(struct access_look *out, struct session *session,
		const struct access_options *options, struct err *err)
{
	struct looking looking = {
		.out = out, .session = session, .options = options, .first_scram = true};
	int rc = loop_new(&looking.loop, session->sys, session->stop, err);

	/* Nothing is known of those who are left out. */
	if (options->skip && options->skip->count)
		looking.first_scram = false;
	*out = (struct access_look){.scram = PROOF_SCRAM_UNKNOWN};
	rc = rc ? rc : look(&looking, err);
	for (size_t i = 0; i < looking.user_count; i++) {
		free(looking.users[i].dn[0]);
		free(looking.users[i].dn[1]);
	}
	free(looking.users);
	access_report_free(looking.report);
	access_notes_release(&looking.notes);
	loop_free(looking.loop);
	if (rc)
		access_look_release(out);
	return rc;
}

void access_look_release(struct access_look *look)
{
	findings_release(&look->findings);
	hidden_clients_release(&look->hidden);
	*look = (struct access_look){.scram = PROOF_SCRAM_UNKNOWN};
}

int access_look_before(struct plan *plan, struct session *session, const struct strs *skip,
		       struct err *err)
{
	enum phase phase = plan->row.phase;
	struct access_options options = {.live = &plan->from,
					 .old_gen = &plan->old_gen,
					 .new_gen = &plan->new_gen,
					 .skip = skip,
					 .hidden = phase == PHASE_TRUST || phase == PHASE_CLIENTS,
					 .phase = phase};
	struct access_look look;
	int rc;

	if (plan->row.direction != DIRECTION_FORWARD || plan->resume || plan->turn ||
	    !plan->has_old || !plan->has_new ||
	    (phase != PHASE_TRUST && phase != PHASE_SERVERS && phase != PHASE_CLIENTS))
		return 0;
	rc = access_look(&look, session, &options, err);
	if (rc)
		return rc;
	for (size_t i = 0; i < look.findings.count && !rc; i++) {
		const struct finding *finding = &look.findings.items[i];

		rc = findings_add(&plan->findings, finding->check, finding->severity,
				  finding->subject, finding->advice, err, "%s", finding->reason);
	}
	rc = rc ? rc : proof_scram_known(&plan->findings, look.scram, err);
	access_look_release(&look);
	return rc;
}
