/* SPDX-License-Identifier: PostgreSQL */
/*
 * Asking the servers through Ansible: each host's report (see playbooks/census_certs.yml) is
 *
 *   {"version": 1, "clusters": [{"data": DIR, "port": 5432, "error": TEXT or null, "cut": false,
 *    "sessions": [{"user", "application", "address", "database", "backend", "serial", "tls",
 *                  "age": seconds}]}]}
 *
 * with the clusters that run. What a host says is not trusted further than its own sessions.
 */
#include <stdlib.h>
#include <string.h>

#include "state/census_internal.h"

#define DEADLINE_S     600
#define REPORT_VERSION 1

static int take_sessions(struct census_server *server, const struct json *list, int64_t now,
			 struct err *err)
{
	size_t count = js_count(list);

	if (!js_is_array(list) || count > PG_ROWS_MAX)
		return census_not_asked(server, NULL, err, "its report has no list of sessions");
	server->sessions = calloc(count + 1, sizeof(*server->sessions));
	if (!server->sessions)
		return err_nomem(err);
	for (size_t i = 0; i < count; i++) {
		const struct json *session = js_at(list, i);
		int64_t age = js_int(session, "age", 0);

		server->sessions[server->count++] = (struct census_session){
			.user = js_str(session, "user", ""),
			.application = js_str(session, "application", ""),
			.address = js_str(session, "address", ""),
			.database = js_str(session, "database", ""),
			.backend = js_str(session, "backend", ""),
			.serial = js_str(session, "serial", ""),
			.tls = js_bool(session, "tls", false),
			.since = age > now || age < 0 ? now : now - age,
		};
	}
	return 0;
}

static int take_cluster(struct census_server *server, const struct json *cluster, int64_t now,
			struct err *err)
{
	const char *error = js_str(cluster, "error", "");

	if (error[0])
		return census_not_asked(server,
					"certrotate_clusters can name login_user and login_db for "
					"this cluster: see playbooks/README.md",
					err, "%s", error);
	if (js_bool(cluster, "cut", false))
		return census_not_asked(server, NULL, err,
					"it has more sessions than the playbook reads");
	return take_sessions(server, js_get(cluster, "sessions"), now, err);
}

static int no_cluster(struct census_server *server, size_t count, struct err *err)
{
	return census_not_asked(
		server, "start it, or name the right port in certrotate.yml's endpoints", err,
		count ? "no cluster of this host runs at port %u"
		      : "no cluster runs on this host (endpoint at port %u)",
		server->port);
}

/* The running clusters of a host; NULL where it has told nothing, which is noted. */
static const struct json *clusters_of(struct census_server *server, const struct reports *reports,
				      int *rc, struct err *err)
{
	const struct report *report = reports_find(reports, server->name);
	const struct json *clusters = report ? js_get(report->value, "clusters") : NULL;

	if (!report)
		*rc = census_not_asked(server, "endpoints are found by their host's inventory name",
				       err,
				       "the census playbook did not come to a host of this name");
	else if (report->why)
		*rc = census_not_asked(server, NULL, err, "%s", report->why);
	else if (js_int(report->value, "version", 0) != REPORT_VERSION || !js_is_array(clusters))
		*rc = census_not_asked(server,
				       "take census_certs.yml and its module from this version",
				       err, "its report is not one of the census");
	else
		return clusters;
	return NULL;
}

static int take_endpoint(struct census_server *server, const struct reports *reports, bool only,
			 int64_t now, struct err *err)
{
	int rc = 0;
	const struct json *clusters = clusters_of(server, reports, &rc, err);
	size_t count = js_count(clusters);

	if (!clusters)
		return rc;
	for (size_t i = 0; i < count; i++) {
		const struct json *cluster = js_at(clusters, i);

		/* Behind a pooler or a forwarded port: the one that there is. */
		if (js_int(cluster, "port", 0) == server->port || (only && count == 1))
			return take_cluster(server, cluster, now, err);
	}
	return no_cluster(server, count, err);
}

/* How many endpoints a host has, and at which ports. */
static int index_endpoints(struct strmap *hosts, struct strmap *ports,
			   const struct census_asked *asked, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; i < asked->count && !rc; i++) {
		const struct census_server *server = &asked->items[i];
		char *key = str_fmt("%s:%u", server->name, server->port);
		size_t count = 0;

		(void)strmap_get(hosts, server->name, &count);
		rc = key ? strmap_put(hosts, server->name, count + 1, err) : err_nomem(err);
		rc = rc ? rc : strmap_put(ports, key, i, err);
		free(key);
	}
	return rc;
}

/* A cluster that no endpoint names has sessions too. */
static int add_cluster(struct census_asked *asked, const char *host, const struct json *cluster,
		       const struct strmap *hosts, const struct strmap *ports, bool only,
		       int64_t now, struct err *err)
{
	int64_t port = js_int(cluster, "port", 0);
	struct census_server *server = NULL;
	char *key = str_fmt("%s:%lld", host, (long long)port);
	size_t endpoints = 0;
	int rc = key ? 0 : err_nomem(err);

	(void)strmap_get(hosts, host, &endpoints);
	if (!rc && !strmap_get(ports, key, NULL) && !(only && endpoints == 1) && port > 0 &&
	    port < 65536) {
		server = census_new_server(asked, host, NULL, (unsigned)port);
		rc = server ? 0 : err_nomem(err);
	}
	if (server && (!only || endpoints)) {
		free(server->label);
		server->label = key;
		key = NULL;
	}
	free(key);
	return rc || !server ? rc : take_cluster(server, cluster, now, err);
}

int census_take_reports(struct census_asked *asked, int64_t now, struct err *err)
{
	struct strmap hosts = STRMAP_INIT, ports = STRMAP_INIT;
	size_t endpoints = asked->count;
	int rc = index_endpoints(&hosts, &ports, asked, err);

	for (size_t i = 0; i < endpoints && !rc; i++) {
		struct census_server *server = &asked->items[i];
		size_t count = 0;

		(void)strmap_get(&hosts, server->name, &count);
		rc = take_endpoint(server, &asked->reports, count == 1, now, err);
	}
	for (size_t h = 0; h < asked->reports.count && !rc; h++) {
		const struct report *report = &asked->reports.items[h];
		const struct json *clusters = js_get(report->value, "clusters");
		size_t count = js_is_array(clusters) ? js_count(clusters) : 0;

		for (size_t i = 0; i < count && !rc; i++)
			rc = add_cluster(asked, report->host, js_at(clusters, i), &hosts, &ports,
					 count == 1, now, err);
	}
	strmap_release(&hosts);
	strmap_release(&ports);
	return rc;
}

int census_ask_hosts(struct census_asked *asked, struct session *session, const struct strs *skip,
		     struct err *err)
{
	struct rollout_step step = {.playbook = session->env->census_playbook,
				    .deadline = DEADLINE_S};
	const struct reports_spec spec = {.step = &step, .skip = skip, .title = "census"};
	int rc = reports_run(&asked->reports, session, &spec, err);

	return rc ? rc : census_take_reports(asked, session->sys->now(session->sys), err);
}
