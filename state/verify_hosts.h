/* SPDX-License-Identifier: PostgreSQL */
/*
 * Looking at the files on the hosts, through the playbooks of rollout.check: what PostgreSQL has
 * in memory says nothing about its next start. playbooks/library/certrotate_check.py says what a
 * report has.
 */
#ifndef STATE_VERIFY_HOSTS_H
#define STATE_VERIFY_HOSTS_H

#include "state/reports.h"
#include "state/verify.h"

/*
 * Runs the check's playbooks one after the other; a host's report is the first that there is.
 * phase: certrotate_phase, or NULL. vars as in reports.h. Errors as reports_run. Release with
 * reports_release.
 */
int hosts_ask(struct reports *out, struct session *session, const char *phase,
	      const struct strs *only, const struct strs *skip, const char *const *vars,
	      struct err *err);

/*
 * Adds findings "host-files" (subject: the host) about what differs from the inventory, or would
 * not survive a restart, counts the hosts, and adds "hosts" to the evidence. Asks nobody.
 */
int hosts_judge(struct verify_result *result, const struct reports *reports,
		const struct verify_input *in, struct err *err);

/*
 * Both, as part of verify. Where nothing is configured, and the environment has servers, an INFO
 * says that nobody looks. phase: NULL outside of one.
 */
int verify_hosts(struct verify_result *result, struct session *session,
		 const struct verify_input *in, const char *phase, struct err *err);

#endif
