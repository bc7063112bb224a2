/* SPDX-License-Identifier: PostgreSQL */
#include "state/verify_hosts.h"

#include <stdlib.h>
#include <string.h>

#include "state/login.h"

#define TEXT_MAX ((size_t)4096)

/* One authority's bundle as the inventory has it, and whose leaves it issues. */
struct trusted {
	struct strs fingerprints;
	bool issues[LEAF_KIND__MAX];
};

struct judge {
	struct verify_result *result;
	const struct verify_input *in;
	struct trusted *trusted; /* one for each authority of the target */
	size_t count;
	struct strmap wanted; /* fingerprints of all these bundles */
	struct strmap known;  /* and of both generations */
	bool has_keys;	      /* the generations were read with their keys */
	const char *host;
	bool held;
};

/* --- what the inventory says ---------------------------------------------------------------- */

static int note_generation(struct judge *judge, const struct generation *gen, struct err *err)
{
	int rc = 0;

	for (size_t a = 0; gen && a < gen->authority_count && !rc; a++) {
		const struct bundle *bundle = &gen->authorities[a].bundle;

		for (size_t i = 0; i < bundle->count && !rc; i++)
			rc = strmap_put(&judge->known, cert_fingerprint(bundle->items[i]), 0, err);
	}
	for (size_t i = 0; gen && i < gen->leaf_count; i++)
		judge->has_keys |= gen->leaves[i].key.data != NULL;
	return rc;
}

static int note_authority(struct judge *judge, const struct gen_authority *authority,
			  struct err *err)
{
	const struct target *target = judge->in->target;
	struct target_value chain = target_chain(target, authority->name);
	struct trusted *trusted = &judge->trusted[judge->count++];
	struct bundle bundle = BUNDLE_INIT;
	int rc = 0;

	if (chain.present)
		rc = bundle_from_pem(&bundle, chain.text, chain.len, authority->name, err);
	for (size_t i = 0; i < bundle.count && !rc; i++) {
		const char *fingerprint = cert_fingerprint(bundle.items[i]);

		rc = strs_add(&trusted->fingerprints, fingerprint, err);
		rc = rc ? rc : strmap_put(&judge->wanted, fingerprint, 0, err);
	}
	for (size_t i = 0; i < target->old_gen->leaf_count; i++) {
		const struct gen_leaf *leaf = &target->old_gen->leaves[i];

		if (!strcmp(leaf->authority, authority->name))
			trusted->issues[leaf->kind] = true;
	}
	bundle_release(&bundle);
	return rc;
}

static int judge_init(struct judge *judge, struct err *err)
{
	const struct verify_input *in = judge->in;
	const struct generation *const all[] = {in->target->old_gen, in->target->new_gen,
						in->old_gen, in->new_gen};
	int rc = 0;

	judge->trusted = calloc(in->target->old_gen->authority_count + 1, sizeof(*judge->trusted));
	if (!judge->trusted)
		return err_nomem(err);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]) && !rc; i++)
		rc = note_generation(judge, all[i], err);
	for (size_t a = 0; a < in->target->old_gen->authority_count && !rc; a++)
		rc = note_authority(judge, &in->target->old_gen->authorities[a], err);
	return rc;
}

static void judge_release(struct judge *judge)
{
	for (size_t i = 0; i < judge->count; i++)
		strs_release(&judge->trusted[i].fingerprints);
	free(judge->trusted);
	strmap_release(&judge->wanted);
	strmap_release(&judge->known);
}

/* The client leaf of that user in a generation, in whichever authority. */
static const struct gen_leaf *client_leaf(const struct generation *gen, const char *name)
{
	for (size_t a = 0; gen && a < gen->authority_count; a++) {
		const struct gen_leaf *leaf = generation_leaf(gen, gen->authorities[a].name, name);

		if (leaf && leaf->kind == LEAF_CLIENT)
			return leaf;
	}
	return NULL;
}

static const struct gen_leaf *held_by_client(const struct target *target, const char *name)
{
	const struct gen_leaf *any = client_leaf(target->old_gen, name);

	any = any ? any : client_leaf(target->new_gen, name);
	return any ? target_pick(target, any->authority, name) : NULL;
}

/* --- findings ------------------------------------------------------------------------------- */

static int say(struct judge *judge, enum severity severity, const char *advice, const char *reason,
	       struct err *err)
{
	judge->held = judge->held && severity != SEVERITY_BLOCK;
	return findings_add(&judge->result->findings, check_name(CHECK_HOST_FILES), severity,
			    judge->host, advice, err, "%s", reason);
}

static int say_text(struct judge *judge, enum severity severity, const char *advice,
		    struct buf *text, struct err *err)
{
	int rc = text->data ? say(judge, severity, advice, text->data, err) : err_nomem(err);

	buf_release(text);
	return rc;
}

static void add_list(struct buf *text, const struct json *list)
{
	for (size_t i = 0; i < js_count(list); i++) {
		const char *item = js_string_value(js_at(list, i));

		if (!item)
			continue;
		buf_adds(text, i ? "; " : "");
		buf_add_safe(text, item, strlen(item));
	}
}

static void add_str(struct buf *text, const struct json *object, const char *key)
{
	const char *value = js_str(object, key, "");

	buf_add_safe(text, value, strlen(value));
}

/* Its certificate in the file, against the inventory's. */
static int judge_pair(struct judge *judge, const struct json *files, const struct gen_leaf *want,
		      const char *what, struct err *err)
{
	const struct verify_input *in = judge->in;
	const char *leaf = js_str(files, "leaf", NULL);
	const struct generation *const gens[] = {in->old_gen, in->new_gen};
	const char *whose = NULL;
	struct buf text;

	if (!want || !leaf || !strcmp(leaf, cert_fingerprint(want->cert)))
		return 0;
	for (size_t i = 0; i < 2 && !whose; i++) {
		const struct gen_leaf *other =
			gens[i] ? generation_leaf(gens[i], want->authority, want->name) : NULL;

		if (other && !strcmp(leaf, cert_fingerprint(other->cert)))
			whose = gens[i]->id;
	}
	buf_init(&text, TEXT_MAX);
	buf_addf(&text, "%s in ", what);
	add_str(&text, js_get(files, "paths"), "cert");
	if (whose)
		buf_addf(&text, " is still the one of generation %s", whose);
	else
		buf_adds(&text, " is another one than the inventory's");
	return say_text(judge, SEVERITY_BLOCK,
			"run the rollout for this host, and look whether its play reaches it",
			&text, err);
}

/* How many of an authority's certificates a bundle lacks. */
static size_t lacks(const struct trusted *trusted, const struct strmap *has)
{
	size_t count = 0;

	for (size_t i = 0; i < trusted->fingerprints.count; i++)
		count += !strmap_get(has, trusted->fingerprints.items[i], NULL);
	return count;
}

static int say_lacks(struct judge *judge, const struct json *files, const struct trusted *nearest,
		     size_t missing, struct err *err)
{
	struct buf text;

	buf_init(&text, TEXT_MAX);
	buf_adds(&text, "the bundle ");
	add_str(&text, js_get(files, "paths"), "bundle");
	buf_addf(&text, " lacks %zu of the inventory's %zu certificates", missing,
		 nearest->fingerprints.count);
	return say_text(judge, SEVERITY_BLOCK,
			"run the rollout for this host, and look whether its play reaches it",
			&text, err);
}

static int say_more(struct judge *judge, const struct json *files, size_t retired, size_t foreign,
		    struct err *err)
{
	struct buf text;
	int rc = 0;

	if (retired) {
		buf_init(&text, TEXT_MAX);
		buf_adds(&text, "the bundle ");
		add_str(&text, js_get(files, "paths"), "bundle");
		buf_addf(&text, " still trusts %zu certificate%s that the inventory no longer has",
			 retired, retired == 1 ? "" : "s");
		rc = say_text(judge, SEVERITY_BLOCK, "run the rollout for this host", &text, err);
	}
	if (rc || !foreign)
		return rc;
	buf_init(&text, TEXT_MAX);
	buf_adds(&text, "the bundle ");
	add_str(&text, js_get(files, "paths"), "bundle");
	buf_addf(&text, " holds %zu certificate%s that certrotate does not know", foreign,
		 foreign == 1 ? "" : "s");
	return say_text(judge, SEVERITY_WARNING,
			"find out who put it there: what it issued gets in", &text, err);
}

/* What the file's bundle trusts, against the bundles of the authorities that issue these leaves. */
static int judge_bundle(struct judge *judge, const struct json *files, enum leaf_kind kind,
			struct err *err)
{
	const struct json *list = js_get(files, "bundle");
	const struct trusted *nearest = NULL;
	size_t fewest = 0, retired = 0, foreign = 0;
	struct strmap has = STRMAP_INIT;
	int rc = 0;

	if (!js_is_array(list))
		return 0;
	for (size_t i = 0; i < js_count(list) && !rc; i++) {
		const char *item = js_string_value(js_at(list, i));

		if (!item)
			continue;
		rc = strmap_put(&has, item, 0, err);
		if (strmap_get(&judge->wanted, item, NULL))
			continue;
		if (strmap_get(&judge->known, item, NULL))
			retired++;
		else
			foreign++;
	}
	for (size_t i = 0; i < judge->count; i++) {
		size_t missing = lacks(&judge->trusted[i], &has);

		if (!judge->trusted[i].issues[kind] || (nearest && missing >= fewest))
			continue;
		nearest = &judge->trusted[i];
		fewest = missing;
	}
	strmap_release(&has);
	if (!rc && nearest && fewest)
		rc = say_lacks(judge, files, nearest, fewest, err);
	return rc ? rc : say_more(judge, files, retired, foreign, err);
}

/* --- one host ------------------------------------------------------------------------------- */

static int judge_server_files(struct judge *judge, const struct json *cluster,
			      const struct gen_leaf *want, struct err *err)
{
	const char *served = js_str(cluster, "served", "");
	bool right = want && !strcmp(served, cert_fingerprint(want->cert));
	const struct json *problems = js_get(cluster, "problems");
	struct buf text;
	int rc = 0;

	if (js_count(problems)) {
		buf_init(&text, TEXT_MAX);
		if (right)
			buf_adds(&text, "it serves the right certificate from memory, but ");
		buf_adds(&text, "its files would not survive a restart: ");
		add_list(&text, problems);
		rc = say_text(judge, SEVERITY_BLOCK,
			      "mend the file, reload the server, and look into its log: PostgreSQL "
			      "passes over files that it cannot use",
			      &text, err);
	} else if (js_str(cluster, "ignored", "")[0]) {
		buf_init(&text, TEXT_MAX);
		buf_adds(&text, "its last reload did not take its TLS files, and its next start "
				"would fail: ");
		add_str(&text, cluster, "ignored");
		rc = say_text(judge, SEVERITY_BLOCK, "mend what its log says, then reload it",
			      &text, err);
	}
	if (rc || !js_count(js_get(cluster, "unloaded")) || js_count(problems))
		return rc;
	buf_init(&text, TEXT_MAX);
	buf_adds(&text, "it goes on with what it has in memory: ");
	add_list(&text, js_get(cluster, "unloaded"));
	return say_text(judge, SEVERITY_BLOCK, "reload the server, and look into its log", &text,
			err);
}

static int judge_cluster(struct judge *judge, const struct json *cluster, struct err *err)
{
	const struct gen_leaf *want = login_served(judge->in->target, judge->host);
	int rc;

	/* What serves no TLS is seen from outside. */
	if (!js_bool(cluster, "ssl", false))
		return 0;
	rc = judge_server_files(judge, cluster, want, err);
	rc = rc ? rc : judge_pair(judge, cluster, want, "the certificate", err);
	return rc ? rc : judge_bundle(judge, cluster, LEAF_CLIENT, err);
}

static int judge_client_files(struct judge *judge, const struct json *client, struct err *err)
{
	const char *user = js_str(client, "user", "");
	const struct gen_leaf *want = held_by_client(judge->in->target, user);
	struct buf text;
	char *what;
	int rc = 0;

	/* Who made his key elsewhere has no certificate from us to compare with. */
	if (want && judge->has_keys && !want->key.data)
		want = NULL;
	if (!js_bool(client, "present", false)) {
		if (!want || !js_bool(client, "named", false))
			return 0;
		buf_init(&text, TEXT_MAX);
		buf_addf(&text, "the client %s has no certificate at ", want->name);
		add_str(&text, js_get(client, "paths"), "cert");
		return say_text(judge, SEVERITY_BLOCK, "run the rollout for this host", &text, err);
	}
	if (js_count(js_get(client, "problems"))) {
		buf_init(&text, TEXT_MAX);
		buf_adds(&text, "the client ");
		add_str(&text, client, "user");
		buf_adds(&text, " cannot log in with its files: ");
		add_list(&text, js_get(client, "problems"));
		rc = say_text(judge, SEVERITY_BLOCK, "mend the file, or run the rollout again",
			      &text, err);
	}
	what = want ? str_fmt("the certificate of the client %s", want->name) : NULL;
	if (!rc && want)
		rc = what ? judge_pair(judge, client, want, what, err) : err_nomem(err);
	free(what);
	return rc ? rc : judge_bundle(judge, client, LEAF_SERVER, err);
}

static int judge_host(struct judge *judge, const struct report *report, struct err *err)
{
	const struct json *clusters = js_get(report->value, "clusters");
	const struct json *clients = js_get(report->value, "clients");
	struct buf text;
	int rc = 0;

	judge->host = report->host;
	judge->held = true;
	if (!report->value) {
		buf_init(&text, TEXT_MAX);
		buf_adds(&text, "its files could not be looked at: ");
		buf_add_safe(&text, report->why, strlen(report->why));
		rc = say_text(judge, SEVERITY_BLOCK, "bring it up, or give it up by name", &text,
			      err);
	} else if (js_int(report->value, "version", 0) != 1) {
		rc = say(judge, SEVERITY_BLOCK,
			 "bring the check's playbook and its modules up to date",
			 "its report is of a version that this certrotate does not know", err);
	}
	for (size_t i = 0; i < js_count(clusters) && !rc; i++)
		rc = judge_cluster(judge, js_at(clusters, i), err);
	for (size_t i = 0; i < js_count(clients) && !rc; i++)
		rc = judge_client_files(judge, js_at(clients, i), err);
	return rc ? rc
		  : verify_count(judge->result, CHECK_HOST_FILES, WANT_YES, judge->host,
				 judge->held, err);
}

/* Servers of the inventory about whose host nobody said anything. */
static int judge_silent(struct judge *judge, const struct reports *reports, struct err *err)
{
	const struct generation *gen = judge->in->target->old_gen;
	struct strs silent = STRS_INIT;
	char names[1024];
	int rc = 0;

	for (size_t i = 0; i < gen->leaf_count && !rc; i++) {
		const struct gen_leaf *leaf = &gen->leaves[i];

		if (leaf->kind == LEAF_SERVER && !reports_find(reports, leaf->name) &&
		    !(judge->in->skip && strs_has(judge->in->skip, leaf->name)))
			rc = strs_add(&silent, leaf->name, err);
	}
	strs_join(&silent, 8, names, sizeof(names));
	if (!rc && silent.count)
		rc = findings_add(&judge->result->findings, check_name(CHECK_HOST_FILES),
				  SEVERITY_WARNING, silent.count == 1 ? silent.items[0] : "servers",
				  "compare the hosts and the limit of the check's playbook with "
				  "the inventory",
				  err, "nobody looked at the files of %s", names);
	strs_release(&silent);
	return rc;
}

static int add_evidence(struct verify_result *result, const struct reports *reports,
			struct err *err)
{
	const struct verify_tally *tally = &result->tallies[CHECK_HOST_FILES];
	struct json *object = js_new_object();

	(void)js_set_int(object, "looked_at", (int64_t)(reports->count - reports->missing));
	(void)js_set_int(object, "held", (int64_t)tally->held);
	(void)js_set_int(object, "ms", reports->ms);
	return js_set(result->evidence, "hosts", object) ? err_nomem(err) : 0;
}

int hosts_judge(struct verify_result *result, const struct reports *reports,
		const struct verify_input *in, struct err *err)
{
	struct judge judge = {
		.result = result, .in = in, .wanted = STRMAP_INIT, .known = STRMAP_INIT};
	int rc = judge_init(&judge, err);

	for (size_t i = 0; i < reports->count && !rc; i++)
		rc = judge_host(&judge, &reports->items[i], err);
	rc = rc ? rc : judge_silent(&judge, reports, err);
	rc = rc ? rc : add_evidence(result, reports, err);
	judge_release(&judge);
	return rc;
}

/* --- asking --------------------------------------------------------------------------------- */

int hosts_ask(struct reports *out, struct session *session, const char *phase,
	      const struct strs *only, const struct strs *skip, const char *const *vars,
	      struct err *err)
{
	const struct rollout *check = &session->env->check;
	int rc = 0;

	*out = (struct reports){.items = NULL};
	for (size_t i = 0; i < check->count && !rc; i++) {
		struct reports_spec spec = {.step = &check->items[i],
					    .phase = phase,
					    .only = only,
					    .skip = skip,
					    .vars = vars,
					    .title = "check"};
		struct reports more;

		rc = reports_run(&more, session, &spec, err);
		rc = rc ? rc : reports_merge(out, &more, err);
		reports_release(&more);
	}
	if (rc)
		reports_release(out);
	return rc;
}

int verify_hosts(struct verify_result *result, struct session *session,
		 const struct verify_input *in, const char *phase, struct err *err)
{
	struct reports reports;
	int rc;

	if (!session->env->check.count)
		return findings_add(&result->findings, check_name(CHECK_HOST_FILES), SEVERITY_INFO,
				    session->env->name,
				    "bring playbooks/check_certs.yml into the repository, or name "
				    "a playbook with rollout.check",
				    err,
				    "nobody looks at the files on the hosts: whether servers would "
				    "survive a restart is not known");
	rc = hosts_ask(&reports, session, phase, NULL, in->skip, NULL, err);
	rc = rc ? rc : hosts_judge(result, &reports, in, err);
	reports_release(&reports);
	return rc;
}
