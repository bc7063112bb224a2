/* SPDX-License-Identifier: PostgreSQL */
#include "state/reached.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "inventory/hosts.h"
#include "pki/sum.h"

#define VERSION	 1
#define FILE_MAX ((size_t)64 << 20)
#define CHECK	 "rollout-host"

/* The kept runs by key; an empty object where there are none, or the file is damaged. */
static struct json *read_kept(const char *path)
{
	struct json *root = NULL, *runs = NULL;
	struct buf text;

	buf_init(&text, FILE_MAX);
	if (!file_read(&text, path, FILE_MAX, NULL) &&
	    !js_parse(&root, text.data, text.len, path, NULL) &&
	    js_int(root, "version", 0) == VERSION && !sum_check(root, path, NULL) &&
	    js_is_object(js_get(root, "runs")))
		runs = js_copy(js_get(root, "runs"));
	buf_release(&text);
	js_free(root);
	return runs ? runs : js_new_object();
}

int reached_keep(const struct session *session, const char *key, bool first, const struct json *run,
		 struct err *err)
{
	char *path = path_join(session->local_dir, "rollout.json");
	struct json *root = js_new_object();
	struct json *runs = path && !first ? read_kept(path) : js_new_object();
	int rc = path && !js_set(runs, key, js_copy(run)) ? 0 : err_nomem(err);

	(void)js_set_int(root, "version", VERSION);
	if (js_set(root, "runs", runs) && !rc)
		rc = err_nomem(err);
	rc = rc ? rc : sum_add(root, err);
	rc = rc ? rc : js_save(path, root, false, FILE_MAX, err);
	js_free(root);
	free(path);
	return rc;
}

int reached_recall(const struct session *session, const char *key, struct json *evidence,
		   struct err *err)
{
	char *path = path_join(session->local_dir, "rollout.json");
	struct json *runs = path ? read_kept(path) : NULL;
	const struct json *run = js_get(runs, key);
	int rc = path ? 0 : err_nomem(err);

	if (!rc && run && js_push(evidence, js_copy(run)))
		rc = err_nomem(err);
	js_free(runs);
	free(path);
	return rc;
}

/* Emergencies and a first chain bring everything to everybody. */
static bool changes_servers(const struct plan *plan)
{
	const struct target_row *from = target_row(plan->row.from), *to = target_row(plan->row.to);

	return plan->row.phase == PHASE_FIRST || plan->row.phase == PHASE_EMERGENCY ||
	       from->bundles != to->bundles || from->servers != to->servers;
}

static int add_run(struct strmap *reached, const struct json *run, struct err *err)
{
	const struct json *hosts = js_get(run, "hosts");
	int rc = 0;

	for (size_t i = 0; i < js_count(hosts) && !rc; i++)
		rc = strmap_put(reached, js_string_value(js_at(hosts, i)), i, err);
	return rc;
}

/* Names of endpoints that answered, and of those about which there is something to mend. */
static int seen_and_bad(struct strmap *seen, struct strmap *bad, const struct verify_result *result,
			struct err *err)
{
	const struct json *leaves = js_get(result->evidence, "leaves");
	int rc = 0;

	for (size_t i = 0; i < js_count(leaves) && !rc; i++) {
		const char *place = js_str(js_at(leaves, i), "endpoint", "");
		const char *port = strrchr(place, ':');
		size_t len = port ? (size_t)(port - place) : strlen(place);
		bool v6 = place[0] == '[' && len > 2;
		char *name = str_fmt("%.*s", (int)len - 2 * v6, place + v6);

		rc = name ? strmap_put(seen, name, i, err) : err_nomem(err);
		free(name);
	}
	for (size_t i = 0; i < result->findings.count && !rc; i++) {
		if (result->findings.items[i].severity == SEVERITY_BLOCK)
			rc = strmap_put(bad, result->findings.items[i].subject, i, err);
	}
	return rc;
}

struct judge {
	struct strmap reached, seen, bad, skipped;
	struct hosts hosts;
};

static int judge_host(struct verify_result *result, const struct judge *judge, const char *host,
		      struct err *err)
{
	static const char advice[] =
		"look at 'hosts', tags and limits of the playbooks and in certrotate.yml; or leave "
		"the host out: --waive 'hosts=NAME:REASON'";
	bool known = !judge->hosts.count || hosts_find(&judge->hosts, host);
	size_t at;

	if (strmap_get(&judge->reached, host, &at) || strmap_get(&judge->skipped, host, &at))
		return 0;
	if (!known)
		return findings_add(&result->findings, CHECK, SEVERITY_INFO, host, NULL, err,
				    "is no host of the inventory: nothing is known about who "
				    "brings it its certificate");
	if (!strmap_get(&judge->seen, host, &at))
		return findings_add(&result->findings, CHECK, SEVERITY_BLOCK, host, advice, err,
				    "no playbook of this phase reached it, and no endpoint of it "
				    "is looked at");
	if (strmap_get(&judge->bad, host, &at))
		return findings_add(&result->findings, CHECK, SEVERITY_BLOCK, host, advice, err,
				    "no playbook of this phase reached it");
	return findings_add(&result->findings, CHECK, SEVERITY_WARNING, host, advice, err,
			    "no playbook of this phase reached it, although what is seen of it is "
			    "right");
}

int reached_judge(struct verify_result *result, const struct session *session,
		  const struct plan *plan, const struct json *rollout, struct err *err)
{
	const struct strs *hosts = &plan->store.host_set;
	struct judge judge = {.hosts = HOSTS_INIT};
	int rc = 0;

	if (!js_count(rollout) || !changes_servers(plan))
		return 0;
	for (size_t i = 0; i < js_count(rollout) && !rc; i++)
		rc = add_run(&judge.reached, js_at(rollout, i), err);
	for (size_t i = 0; i < plan->skip.count && !rc; i++)
		rc = strmap_put(&judge.skipped, plan->skip.items[i], i, err);
	rc = rc ? rc : seen_and_bad(&judge.seen, &judge.bad, result, err);
	/* An inventory that only Ansible can read: then every name counts as a host's. */
	if (!rc &&
	    hosts_read(&judge.hosts, repo_root(session->repo), session->env->inventory, NULL))
		judge.hosts = (struct hosts)HOSTS_INIT;
	for (size_t i = 0; i < hosts->count && !rc; i++)
		rc = judge_host(result, &judge, hosts->items[i], err);
	hosts_release(&judge.hosts);
	strmap_release(&judge.reached);
	strmap_release(&judge.seen);
	strmap_release(&judge.bad);
	strmap_release(&judge.skipped);
	return rc;
}
