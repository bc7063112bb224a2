/* SPDX-License-Identifier: PostgreSQL */
/*
 * What a playbook tells about each host, as data: the recap and the output are for people.
 *
 * The playbook gets the extra variable certrotate_report_dir: a private folder (0700) on a memory
 * file system of this machine, which is removed after the run. For each host it leaves HOST.json
 * there, one JSON object; playbooks/action_plugins/certrotate_report.py does so:
 *
 *	- certrotate_report:
 *	    report: "{{ answer }}"
 *
 * or any task that is delegated to localhost with become: false. Nothing but what the playbook
 * itself puts there is read: no secret belongs into it.
 */
#ifndef STATE_REPORTS_H
#define STATE_REPORTS_H

#include <stddef.h>
#include <stdint.h>
#include "base/json.h"
#include "state/session.h"

#define REPORT_MAX  ((size_t)8 << 20) /* of one host */
#define REPORTS_MAX ((size_t)1 << 30) /* of all together */

struct report {
	char *host;	    /* as the inventory calls it */
	struct json *value; /* an object; NULL where there is none: why says so */
	char *why;	    /* "unreachable: …"; NULL where there is a report */
};

struct reports {
	struct report *items; /* every host of Ansible's recap, sorted by name */
	size_t count;
	size_t missing; /* hosts without a report */
	int64_t ms;
};

/* All borrowed; zero or NULL where not needed. */
struct reports_spec {
	const struct rollout_step *step;
	const char *phase;	 /* certrotate_phase; NULL: none */
	const struct strs *only; /* hosts that it is limited to; NULL: all but skip */
	const struct strs *skip;
	const char *const *vars; /* further "name=value", NULL at the end */
	const char *title;	 /* for progress, and the log's name: "check", "census" */
};

/*
 * Runs the step and reads what it left. 0 also where hosts failed, were unreachable or left
 * nothing that can be read: reports->items says so for each. ERR_FAIL where Ansible did not get to
 * any host (with its reason), ERR_NOENT where it is not installed, ERR_STOPPED. Release it always.
 */
int reports_run(struct reports *out, struct session *session, const struct reports_spec *spec,
		struct err *err);
/*
 * Takes over what more has: hosts that out does not name yet, and reports about those that had
 * none. more keeps the rest, and is released as well.
 */
int reports_merge(struct reports *out, struct reports *more, struct err *err);
/* The host's entry, or NULL where Ansible did not name it at all. */
const struct report *reports_find(const struct reports *reports, const char *host);
void reports_release(struct reports *reports);

#endif
