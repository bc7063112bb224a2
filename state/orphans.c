/* SPDX-License-Identifier: PostgreSQL */
#include "state/orphans.h"

#include "inventory/hosts.h"
#include "state/verify_hosts.h"

#define CHECK	    "orphan"
#define NAMES_SHOWN 6
#define NAMES_SIZE  512

int deployed_read(struct deployed *out, const struct reports *reports, struct err *err)
{
	int rc = 0;

	*out = (struct deployed){STRMAP_INIT, STRMAP_INIT, STRS_INIT};
	for (size_t i = 0; i < reports->count && !rc; i++) {
		const struct report *report = &reports->items[i];
		const struct json *clients = js_get(report->value, "clients");

		rc = strmap_put(&out->hosts, report->host, i, err);
		if (!rc && !report->value)
			rc = strs_add(&out->unknown, report->host, err);
		for (size_t c = 0; c < js_count(clients) && !rc; c++) {
			const struct json *client = js_at(clients, c);

			rc = strmap_put(&out->clients, js_str(client, "user", ""), i, err);
			rc = rc ? rc : strmap_put(&out->clients, js_str(client, "cn", ""), i, err);
		}
	}
	if (rc)
		deployed_release(out);
	return rc;
}

void deployed_release(struct deployed *deployed)
{
	strmap_release(&deployed->clients);
	strmap_release(&deployed->hosts);
	strs_release(&deployed->unknown);
}

struct search {
	struct findings *out;
	const struct session *session;
	const struct deployed *deployed;
	struct strmap applications; /* users that one has */
	struct hosts hosts;	    /* as read natively */
	struct strs unknown;	    /* hosts that were not asked */
	struct strs unseen;	    /* clients about which nobody was asked */
};

static int read_applications(struct search *search, struct err *err)
{
	const struct config *config = search->session->config;
	int rc = 0;

	for (size_t a = 0; a < config->application_count; a++) {
		const struct application *application = &config->applications[a];

		for (size_t i = 0; i < application->users.count && !rc; i++)
			rc = strmap_put(&search->applications, application->users.items[i], a, err);
	}
	return rc;
}

static int client_orphan(struct search *search, const struct gen_leaf *leaf, struct err *err)
{
	static const char advice[] =
		"add it to an application in certrotate.yml, or to certrotate_clients of the host "
		"that has its files; or give it up: --waive 'orphan=USER:REASON'";
	const struct deployed *deployed = search->deployed;
	char names[NAMES_SIZE];

	if (strmap_get(&search->applications, leaf->name, NULL))
		return 0;
	if (!deployed)
		return strs_add(&search->unseen, leaf->name, err);
	if (strmap_get(&deployed->clients, leaf->name, NULL) ||
	    strmap_get(&deployed->clients, cert_common_name(leaf->cert), NULL))
		return 0;
	if (!search->unknown.count)
		return findings_add(search->out, CHECK, SEVERITY_BLOCK, leaf->name, advice, err,
				    "nobody would bring it its new certificate: no host has this "
				    "client, and no application");
	strs_join(&search->unknown, NAMES_SHOWN, names, sizeof(names));
	return findings_add(search->out, CHECK, SEVERITY_WARNING, leaf->name, advice, err,
			    "no application has this client, and no host that was asked; not asked "
			    "were %s",
			    names);
}

/* What Ansible named is a host; what only our own reader lacks may still be one. */
static int server_orphan(struct search *search, const struct gen_leaf *leaf, struct err *err)
{
	static const char advice[] =
		"name it as a host of the inventory, or take it out of the chain's description "
		"with the next rotation; or give it up: --waive 'orphan=SERVER:REASON'";
	const struct deployed *deployed = search->deployed;
	bool whole = deployed && !search->unknown.count;

	if ((deployed && strmap_get(&deployed->hosts, leaf->name, NULL)) ||
	    hosts_find(&search->hosts, leaf->name) || strs_has(&search->unknown, leaf->name))
		return 0;
	if (!deployed && (!search->hosts.count || search->hosts.passed_over.count))
		return findings_add(search->out, CHECK, SEVERITY_INFO, leaf->name, NULL, err,
				    "whether it is a host of the inventory is not known: only "
				    "Ansible can read that");
	return findings_add(search->out, CHECK, whole ? SEVERITY_BLOCK : SEVERITY_WARNING,
			    leaf->name, advice, err,
			    "nobody would bring it its new certificate: no host of the inventory "
			    "has this name");
}

static int say_unseen(struct search *search, struct err *err)
{
	char names[NAMES_SIZE];

	if (!search->unseen.count)
		return 0;
	strs_join(&search->unseen, NAMES_SHOWN, names, sizeof(names));
	return findings_add(search->out, CHECK, SEVERITY_INFO, search->session->env->name,
			    "bring playbooks/check_certs.yml into the repository, or name the "
			    "clients in an application of certrotate.yml",
			    err,
			    "whether a playbook deploys the client%s %s is not known: nobody looks "
			    "at the hosts",
			    search->unseen.count == 1 ? "" : "s", names);
}

int orphans_find(struct findings *out, const struct session *session, const struct generation *gen,
		 const struct deployed *deployed, const struct strs *skip, struct err *err)
{
	struct search search = {.out = out,
				.session = session,
				.deployed = deployed,
				.applications = STRMAP_INIT,
				.hosts = HOSTS_INIT,
				.unknown = STRS_INIT,
				.unseen = STRS_INIT};
	int rc = read_applications(&search, err);

	if (!rc && deployed)
		rc = strs_copy(&search.unknown, &deployed->unknown, err);
	if (!rc && skip)
		rc = strs_copy(&search.unknown, skip, err);
	if (!rc && hosts_read(&search.hosts, session->config->root, session->env->inventory, NULL))
		search.hosts = (struct hosts)HOSTS_INIT;
	for (size_t i = 0; i < gen->leaf_count && !rc; i++) {
		const struct gen_leaf *leaf = &gen->leaves[i];

		rc = leaf->kind == LEAF_SERVER ? server_orphan(&search, leaf, err)
					       : client_orphan(&search, leaf, err);
	}
	rc = rc ? rc : say_unseen(&search, err);
	hosts_release(&search.hosts);
	strmap_release(&search.applications);
	strs_release(&search.unknown);
	strs_release(&search.unseen);
	return rc;
}

int orphans_before(struct plan *plan, struct session *session, const struct strs *skip,
		   struct err *err)
{
	struct deployed deployed;
	struct reports reports;
	int rc;

	if (plan->row.phase != PHASE_TRUST || plan->row.direction != DIRECTION_FORWARD)
		return 0;
	if (!session->env->check.count)
		return orphans_find(&plan->findings, session, &plan->old_gen, NULL, skip, err);
	rc = hosts_ask(&reports, session, phase_name(plan->row.phase), NULL, skip, NULL, err);
	if (!rc) {
		rc = deployed_read(&deployed, &reports, err);
		rc = rc ? rc
			: orphans_find(&plan->findings, session, &plan->old_gen, &deployed, skip,
				       err);
		deployed_release(&deployed);
	}
	reports_release(&reports);
	return rc;
}
