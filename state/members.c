/* SPDX-License-Identifier: PostgreSQL */
#include "state/members.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "state/holdings_match.h"
#include "state/issue.h"

struct taking {
	const struct members_input *in;
	struct members *out;
	struct findings *findings;
	struct findings *drift;
	struct drift_input place; /* for messages about a value */
	struct strmap described;  /* "AUTHORITY/NAME" */
	bool ca_keys_asked[2];	  /* of the old and the new generation */
	bool ca_keys_kept[2];
};

/* One that comes. */
struct arrival {
	const struct chain_authority *authority; /* NULL where the description lacks it */
	const struct chain_server *server;
	const struct certs_entry *entry; /* NULL where only the description has it */
	const char *authority_name;
	const char *name;
	enum leaf_kind kind;
};

static char *key_of(const char *authority, const char *name)
{
	return str_fmt("%s/%s", authority, name);
}

static bool known(const struct members_input *in, const char *authority, const char *name)
{
	return generation_leaf(in->old_gen, authority, name) ||
	       generation_leaf(in->new_gen, authority, name);
}

static int put(struct strmap *map, const char *authority, const char *name, struct err *err)
{
	char *key = key_of(authority, name);
	int rc = key ? strmap_put(map, key, 1, err) : err_nomem(err);

	free(key);
	return rc;
}

static bool has(const struct strmap *map, const char *authority, const char *name)
{
	char *key = key_of(authority, name);
	bool found = key && strmap_get(map, key, NULL);

	free(key);
	return found;
}

static int describe_all(struct taking *taking, struct err *err)
{
	const struct chain_desc *chain = taking->in->session->chain;
	int rc = 0;

	for (size_t a = 0; a < chain->authority_count && !rc; a++) {
		const struct chain_authority *authority = &chain->authorities[a];

		for (size_t i = 0; i < authority->server_count && !rc; i++)
			rc = put(&taking->described, authority->name, authority->servers[i].host,
				 err);
		for (size_t i = 0; i < authority->clients.count && !rc; i++)
			rc = put(&taking->described, authority->name, authority->clients.items[i],
				 err);
	}
	return rc;
}

static int say(struct taking *taking, const char *check, enum severity severity,
	       const char *authority, const char *name, const char *advice, const char *reason,
	       struct err *err)
{
	char *subject = str_fmt("%s %s", authority, name);
	int rc = subject ? findings_add(taking->findings, check, severity, subject, advice, err,
					"%s", reason)
			 : err_nomem(err);

	free(subject);
	return rc;
}

/* Who is refused is named once: its key and what else it has are no second drift. */
static int refuse(struct taking *taking, const struct arrival *arrival, const char *advice,
		  const char *reason, struct err *err)
{
	struct difference about = {.kind = CERTS_LEAF,
				   .authority = arrival->authority_name,
				   .name = arrival->name,
				   .entry = arrival->entry};
	int rc = put(&taking->out->spared, arrival->authority_name, arrival->name, err);

	return rc ? rc
		  : drift_add(taking->drift, &taking->place, &about, advice, err, "%s", reason);
}

/* ---- certificates for those who come */

/* *kept: whether the generation's CA keys are there. */
static int ask_ca_keys(bool *kept, struct taking *taking, int which, struct err *err)
{
	struct generation *gen = which ? taking->in->new_gen : taking->in->old_gen;
	int rc = 0;

	if (!taking->ca_keys_asked[which]) {
		rc = session_ca_keys(gen, taking->in->session, err);
		taking->ca_keys_asked[which] = true;
		taking->ca_keys_kept[which] = !rc;
	}
	*kept = taking->ca_keys_kept[which];
	return rc == ERR_NOENT ? 0 : rc;
}

/* ERR_NOENT where its CA key is not kept. */
static int issue(struct taking *taking, int which, const struct arrival *arrival, struct err *err)
{
	const struct members_input *in = taking->in;
	struct session *session = in->session;
	struct generation *gen = which ? in->new_gen : in->old_gen;
	struct generation *other = which ? in->old_gen : in->new_gen;
	struct issue_options options = {
		.id = gen->id,
		.chain = session->chain,
		.arena = session->arena,
		.sys = session->sys,
		.log = session->log,
	};
	struct issue_one one = {
		.authority = arrival->authority,
		.server = arrival->server,
		.name = arrival->name,
		.kind = arrival->kind,
		.predecessor = generation_leaf(other, arrival->authority_name, arrival->name)};
	bool kept = false;
	int rc = ask_ca_keys(&kept, taking, which, err);

	if (rc)
		return rc;
	rc = kept ? generation_issue_leaf(gen, &options, &one, err) : ERR_NOENT;
	if (!rc && which)
		taking->out->new_changed = true;
	else if (!rc)
		taking->out->old_changed = true;
	return rc;
}

static int refuse_without_ca(struct taking *taking, const struct arrival *arrival, struct err *err)
{
	const struct members_input *in = taking->in;
	char reason[512], advice[512];

	(void)snprintf(reason, sizeof(reason),
		       "new, and it can get no certificate of generation %s: its CA key was not "
		       "kept (ca_keys: discard)",
		       in->new_gen->id);
	(void)snprintf(advice, sizeof(advice),
		       "take it out of %s%s%s until the rotation has ended; the next one has it",
		       in->session->env->chain, arrival->entry ? " and " : "",
		       arrival->entry ? in->holdings->certs.path : "");
	return refuse(taking, arrival, advice, reason, err);
}

/* Outside a rotation's last phase the old chain may come back: who has a leaf of both is served. */
static bool wants_old(const struct members_input *in)
{
	return in->row && in->row->direction == DIRECTION_FORWARD && in->row->phase != PHASE_PRUNE;
}

/* ---- who comes by the description */

static int say_described(struct taking *taking, const struct arrival *arrival, bool old_made,
			 struct err *err)
{
	const struct members_input *in = taking->in;
	char reason[768];

	if (!in->row)
		(void)snprintf(reason, sizeof(reason),
			       "new in %s: the next phase gives it a certificate of generation %s",
			       in->session->env->chain, in->new_gen->id);
	else if (old_made)
		(void)snprintf(reason, sizeof(reason),
			       "new in %s: it gets certificates of the generations %s and %s with "
			       "this phase",
			       in->session->env->chain, in->old_gen->id, in->new_gen->id);
	else
		(void)snprintf(reason, sizeof(reason),
			       "new in %s: it gets a certificate of generation %s with this "
			       "phase%s%s%s",
			       in->session->env->chain, in->new_gen->id,
			       wants_old(in) ? ", and none of generation " : "",
			       wants_old(in) ? in->old_gen->id : "",
			       wants_old(in) ? ", whose CA key was not kept: peers accept it once "
					       "they trust the new chain"
					     : "");
	return say(taking, "leaf-added", SEVERITY_WARNING, arrival->authority_name, arrival->name,
		   NULL, reason, err);
}

static int take_described(struct taking *taking, const struct arrival *arrival, struct err *err)
{
	const struct members_input *in = taking->in;
	bool old_made = false, kept = false;
	int rc = 0;

	if (known(in, arrival->authority_name, arrival->name) ||
	    has(&taking->out->spared, arrival->authority_name, arrival->name))
		return 0;
	/* On the way back nobody new is waited for. */
	if (in->row && in->row->direction == DIRECTION_BACK)
		return 0;
	if (!in->row)
		return say_described(taking, arrival, false, err);
	rc = ask_ca_keys(&kept, taking, 1, err);
	if (!rc && !kept)
		return refuse_without_ca(taking, arrival, err);
	if (!rc && wants_old(in)) {
		rc = issue(taking, 0, arrival, err);
		old_made = !rc;
		rc = rc == ERR_NOENT ? 0 : rc;
	}
	rc = rc ? rc : issue(taking, 1, arrival, err);
	rc = rc ? rc : put(&taking->out->came, arrival->authority_name, arrival->name, err);
	rc = rc ? rc : put(&taking->out->spared, arrival->authority_name, arrival->name, err);
	return rc ? rc : say_described(taking, arrival, old_made, err);
}

static int take_all_described(struct taking *taking, struct err *err)
{
	const struct chain_desc *chain = taking->in->session->chain;
	int rc = 0;

	for (size_t a = 0; a < chain->authority_count && !rc; a++) {
		const struct chain_authority *authority = &chain->authorities[a];

		/* A whole new authority is for the next rotation: generate says so. */
		if (!generation_authority(taking->in->new_gen, authority->name))
			continue;
		for (size_t i = 0; i < authority->server_count && !rc; i++) {
			struct arrival arrival = {.authority = authority,
						  .authority_name = authority->name,
						  .server = &authority->servers[i],
						  .name = authority->servers[i].host,
						  .kind = LEAF_SERVER};

			rc = take_described(taking, &arrival, err);
		}
		for (size_t i = 0; i < authority->clients.count && !rc; i++) {
			struct arrival arrival = {.authority = authority,
						  .authority_name = authority->name,
						  .name = authority->clients.items[i],
						  .kind = LEAF_CLIENT};

			rc = take_described(taking, &arrival, err);
		}
	}
	return rc;
}

/* ---- who comes by the certs file */

/* 0 for the old generation, 1 for the new one, -1 where neither signed it. */
static int signed_by(const struct members_input *in, const char *authority, const struct cert *cert)
{
	const struct generation *gens[] = {in->old_gen, in->new_gen};

	for (int g = 0; g < 2; g++) {
		const struct gen_authority *found = generation_authority(gens[g], authority);

		for (size_t i = 0; found && i < found->bundle.count; i++) {
			if (cert_issued_by(cert, found->bundle.items[i]))
				return g;
		}
	}
	return -1;
}

/* Why a certificate with its key cannot be taken over; NULL where it can. */
static const char *unfit(const struct members_input *in, const struct certs_entry *entry,
			 const struct cert *cert, int by)
{
	const struct certs_entry *key_entry =
		in->holdings->keys_open ? certs_find(holdings_keys(in->holdings)->certs, CERTS_KEY,
						     entry->authority, entry->name)
					: NULL;
	struct secret pem = {0};
	struct key *key = NULL;
	bool fits;

	if (by < 0)
		return "came with a certificate that neither generation has signed: nobody here "
		       "trusts it";
	if (by == 1 && target_row(in->now->state)->bundles == PICK_OLD)
		return "came with a certificate of the new chain, which nobody trusts yet";
	if (!in->holdings->keys_open)
		return NULL;
	if (!key_entry)
		return "came without its private key";
	fits = !holdings_read_key(&pem, in->holdings, key_entry, NULL) &&
	       !key_from_pem(&key, &pem, "", NULL) && key_matches(key, cert);
	key_free(key);
	secret_wipe(&pem);
	return fits ? NULL : "came with a private key that does not fit its certificate";
}

static enum leaf_kind kind_of(const struct chain_authority *authority, const char *name,
			      const struct cert *cert)
{
	struct strs usages = STRS_INIT;
	bool server, client;

	if (strs_has(&authority->clients, name))
		return LEAF_CLIENT;
	(void)cert_ext_usages(&usages, cert, NULL);
	server = strs_has(&usages, "serverAuth");
	client = strs_has(&usages, "clientAuth");
	strs_release(&usages);
	if (server == client)
		return authority->server_count ? LEAF_SERVER : LEAF_CLIENT;
	return server ? LEAF_SERVER : LEAF_CLIENT;
}

static const struct chain_server *server_of(const struct chain_authority *authority,
					    const char *name)
{
	for (size_t i = 0; i < authority->server_count; i++) {
		if (!strcmp(authority->servers[i].host, name))
			return &authority->servers[i];
	}
	return NULL;
}

static int say_adopted(struct taking *taking, const struct arrival *arrival, int by,
		       struct err *err)
{
	const struct members_input *in = taking->in;
	char reason[768];

	(void)snprintf(reason, sizeof(reason),
		       "came into %s with a certificate of generation %s: %s",
		       in->holdings->certs.path, by ? in->new_gen->id : in->old_gen->id,
		       !in->row ? "the next phase takes it in"
		       : by	? "it is taken in as it is"
				: "it is taken in, and gets its successor");
	return say(taking, "leaf-added", SEVERITY_WARNING, arrival->authority_name, arrival->name,
		   NULL, reason, err);
}

static int adopt(struct taking *taking, const struct arrival *arrival, int by, struct err *err)
{
	const struct members_input *in = taking->in;
	struct session *session = in->session;
	struct generation *gen = by ? in->new_gen : in->old_gen;
	bool kept = true;
	int rc = 0;

	/* Its successor comes first: without one nothing is taken in. */
	if (in->row && !by)
		rc = ask_ca_keys(&kept, taking, 1, err);
	if (!rc && !kept)
		return refuse_without_ca(taking, arrival, err);
	if (!rc && in->row) {
		rc = holdings_take_leaf(gen, in->holdings, session->chain, arrival->entry, err);
		if (!rc && by)
			taking->out->new_changed = true;
		else if (!rc)
			taking->out->old_changed = true;
	}
	if (!rc && in->row && !by)
		rc = issue(taking, 1, arrival, err);
	rc = rc ? rc : put(&taking->out->came, arrival->authority_name, arrival->name, err);
	rc = rc ? rc : put(&taking->out->spared, arrival->authority_name, arrival->name, err);
	return rc ? rc : say_adopted(taking, arrival, by, err);
}

static int take_entry(struct taking *taking, const struct certs_entry *entry, struct err *err)
{
	const struct members_input *in = taking->in;
	struct arrival arrival = {
		.authority = chain_authority_find(in->session->chain, entry->authority),
		.entry = entry,
		.authority_name = entry->authority,
		.name = entry->name};
	struct bundle bundle = BUNDLE_INIT;
	struct err unread = {0};
	const char *reason;
	char advice[512];
	int by, rc;

	/* An authority that nobody knows, or no certificate at all: drift says it. */
	if (!arrival.authority || !generation_authority(in->new_gen, entry->authority) ||
	    bundle_from_pem(&bundle, entry->value, entry->len, "", &unread))
		return 0;
	arrival.kind = kind_of(arrival.authority, entry->name, bundle.items[0]);
	arrival.server = server_of(arrival.authority, entry->name);
	by = signed_by(in, entry->authority, bundle.items[0]);
	reason = unfit(in, entry, bundle.items[0], by);
	(void)snprintf(advice, sizeof(advice),
		       "take it out of %s again, and put the host or user into %s: then it gets "
		       "its certificates with the next phase",
		       in->holdings->certs.path, in->session->env->chain);
	rc = reason ? refuse(taking, &arrival, advice, reason, err)
		    : adopt(taking, &arrival, by, err);
	bundle_release(&bundle);
	return rc;
}

static int take_entries(struct taking *taking, struct err *err)
{
	const struct certs *certs = taking->in->holdings->certs.certs;
	int rc = 0;

	for (size_t i = 0; i < certs_count(certs) && !rc; i++) {
		const struct certs_entry *entry = certs_at(certs, i);

		if (entry->kind == CERTS_LEAF && !known(taking->in, entry->authority, entry->name))
			rc = take_entry(taking, entry, err);
	}
	return rc;
}

/* ---- who went */

static int let_go(struct taking *taking, const char *authority, const char *name, struct err *err)
{
	const struct members_input *in = taking->in;
	const struct certs_entry *key = in->holdings->keys_open
						? certs_find(holdings_keys(in->holdings)->certs,
							     CERTS_KEY, authority, name)
						: NULL;
	int rc = put(&taking->out->spared, authority, name, err);

	if (!rc && key) {
		struct difference about = {
			.kind = CERTS_KEY, .authority = authority, .name = name, .entry = key};
		char advice[512];

		(void)snprintf(advice, sizeof(advice),
			       "take it out of %s as well, or put the certificate back: 'git log "
			       "-p -- %s'",
			       holdings_keys(in->holdings)->path, in->holdings->certs.path);
		return drift_add(taking->drift, &taking->place, &about, advice, err,
				 "its certificate was taken out of %s, its private key is still "
				 "here",
				 in->holdings->certs.path);
	}
	rc = rc ? rc : put(&taking->out->gone, authority, name, err);
	return rc ? rc
		  : say(taking, "leaf-removed", SEVERITY_WARNING, authority, name,
			"its certificates stay valid until they expire: see that nobody holds "
			"its key",
			in->row ? "no longer in the inventory and in the description: it is taken "
				  "out of both generations"
				: "no longer in the inventory and in the description: the next "
				  "phase takes it out of both generations",
			err);
}

static int let_all_go(struct taking *taking, struct err *err)
{
	const struct members_input *in = taking->in;
	const struct generation *gens[] = {in->old_gen, in->new_gen};
	int rc = 0;

	for (int g = 0; g < 2; g++) {
		for (size_t i = 0; i < gens[g]->leaf_count && !rc; i++) {
			const struct gen_leaf *leaf = &gens[g]->leaves[i];

			if (!target_pick(in->now, leaf->authority, leaf->name) ||
			    certs_find(in->holdings->certs.certs, CERTS_LEAF, leaf->authority,
				       leaf->name) ||
			    has(&taking->described, leaf->authority, leaf->name) ||
			    has(&taking->out->spared, leaf->authority, leaf->name))
				continue;
			rc = let_go(taking, leaf->authority, leaf->name, err);
		}
	}
	return rc;
}

static int drop_gone(struct taking *taking, struct err *err)
{
	const struct members_input *in = taking->in;
	size_t old_dropped = 0, new_dropped = 0;
	int rc;

	if (!in->row || !taking->out->gone.count)
		return 0;
	rc = generation_drop(&old_dropped, in->old_gen, &taking->out->gone, err);
	rc = rc ? rc : generation_drop(&new_dropped, in->new_gen, &taking->out->gone, err);
	taking->out->old_changed |= old_dropped > 0;
	taking->out->new_changed |= new_dropped > 0;
	return rc;
}

int members_take(struct members *out, struct findings *findings, struct findings *drift,
		 const struct members_input *in, struct err *err)
{
	struct taking taking = {
		.in = in,
		.out = out,
		.findings = findings,
		.drift = drift,
		.place = {.session = in->session, .holdings = in->holdings, .target = in->now}};
	int rc = describe_all(&taking, err);

	rc = rc ? rc : let_all_go(&taking, err);
	rc = rc ? rc : take_entries(&taking, err);
	rc = rc ? rc : take_all_described(&taking, err);
	rc = rc ? rc : drop_gone(&taking, err);
	strmap_release(&taking.described);
	return rc;
}

void members_release(struct members *members)
{
	strmap_release(&members->came);
	strmap_release(&members->spared);
	strmap_release(&members->gone);
	*members = (struct members){0};
}
