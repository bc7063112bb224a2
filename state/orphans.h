/* SPDX-License-Identifier: PostgreSQL */
/*
 * Orphans: leaves that nobody deploys. A client is deployed where the check's playbook found it on
 * a host, or where an application of certrotate.yml has it; a server where its name is a host of
 * the inventory. Who has an orphan is named before "trust" brings the new chain to the others: he
 * would be left with the old one.
 */
#ifndef STATE_ORPHANS_H
#define STATE_ORPHANS_H

#include "base/finding.h"
#include "state/plan.h"
#include "state/reports.h"

/* What the check's playbook found on the hosts. */
struct deployed {
	struct strmap clients; /* users and common names */
	struct strmap hosts;   /* the hosts of the inventory, as Ansible knows it */
	struct strs unknown;   /* hosts that said nothing */
};

int deployed_read(struct deployed *out, const struct reports *reports, struct err *err);
void deployed_release(struct deployed *deployed);

/*
 * Findings "orphan", one for each leaf of the generation, its name as subject: a block where the
 * hosts were asked and none has it, a warning where some could not be asked or the inventory was
 * read natively only. deployed NULL: nobody was asked, which an INFO says. skip: hosts that were
 * left out; they count as not asked.
 */
int orphans_find(struct findings *out, const struct session *session, const struct generation *gen,
		 const struct deployed *deployed, const struct strs *skip, struct err *err);

/* Both for a plan that goes forward to "trust", asking the hosts where that is configured. */
int orphans_before(struct plan *plan, struct session *session, const struct strs *skip,
		   struct err *err);

#endif
