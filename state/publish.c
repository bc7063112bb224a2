/* SPDX-License-Identifier: PostgreSQL */
/* Commits and where they go: see steps.h. */
#include "state/publish.h"

#include <stdlib.h>
#include <string.h>

#include "git/remote.h"
#include "git/worktree.h"
#include "state/merge.h"
#include "state/others.h"
#include "state/steps.h"

#define AWAKE_S	  2 /* of whole seconds; longer than a fetch takes, shorter than any taking over */
#define TRIES	  5
#define FINISHING "what is being pushed is recorded first"

int publish_message(struct buf *out, const struct session *session, const struct store *store,
		    const char *subject, const char *body, const char *reverts, struct err *err)
{
	struct trailers trailers = {.environment = session->env->name,
				    .rotation = store->rotation,
				    .phase = (char *)(uintptr_t)phase_name(store->phase),
				    .reverts = (char *)(uintptr_t)reverts};

	return commit_message(out, subject, body, &trailers, err);
}

/* The base moved under us: anew on its tip, unless the state itself moved. */
static int look_again(struct session *session, const struct err *refusal, struct err *err)
{
	int64_t revision = session->store.revision;
	struct oid before = session->base;
	int rc = session_fetch(session, err);

	rc = rc ? rc : session_load(session, err);
	if (rc)
		return rc;
	if (session->store.revision != revision)
		return others_were_faster(&session->store, session->host, err);
	if (!oid_equal(&before, &session->base))
		return 0;
	if (err)
		*err = *refusal;
	return refusal->code;
}

/*
 * The checkout follows the base from wherever it stands: behind the commit's parent where a
 * colleague's commits came in between. Where it is on another branch only the reference moves.
 */
static int follow(struct session *session, const struct oid *to, struct err *err)
{
	struct oid from;
	int rc = repo_ref(&from, session->repo, session->base_branch_ref, err);

	return rc ? rc
		  : branch_advance(session->repo, session->base_branch_ref, &from, to, "certrotate",
				   err);
}

int publish_to_base(struct session *session, const struct change *changes, size_t count,
		    const char *message, struct oid *commit, bool *again, struct err *err)
{
	const struct environment *env = session->env;
	struct oid parent = session->base;
	struct err refusal = {0};
	char *ref = str_fmt("refs/heads/%s", env->base);
	int rc = ref ? commit_build(commit, session->repo, &parent, changes, count, message,
				    session->sys, err)
		     : err_nomem(err);

	*again = false;
	if (!rc && env->push) {
		rc = remote_push(session->repo, env->remote, commit, ref, &parent, NULL, &refusal);
		if (rc == ERR_LOCK) {
			rc = look_again(session, &refusal, err);
			*again = rc == 0;
		} else if (rc && err) {
			*err = refusal;
		}
	}
	free(ref);
	if (rc || *again)
		return rc;
	session->base = *commit;
	return follow(session, commit, err);
}

/*
 * The branch that carries a settled state to the next merge. It is replaced, not continued, where
 * a squash has made its history another one.
 */
static int push_settle_branch(struct session *session, const struct oid *commit, struct err *err)
{
	const char *remote = session->env->remote;
	struct oid tip = OID_NONE;
	char *ref = str_fmt("refs/heads/certrotate/%s", session->env->name);
	bool descends = true;
	int rc = ref ? 0 : err_nomem(err);

	if (!rc && repo_ref_exists(session->repo, session->settle_ref)) {
		rc = repo_ref(&tip, session->repo, session->settle_ref, err);
		rc = rc ? rc : repo_is_ancestor(&descends, session->repo, &tip, commit, err);
	}
	if (!rc && !descends) {
		rc = remote_push_delete(session->repo, remote, ref, &tip, err);
		tip = OID_NONE;
	}
	rc = rc ? rc : remote_push(session->repo, remote, commit, ref, &tip, NULL, err);
	free(ref);
	return rc;
}

int publish_state(struct session *session, const struct store *store, const char *subject,
		  const char *body, struct err *err)
{
	struct buf text, message;
	struct change change;
	struct oid commit;
	bool again = true;
	int rc;

	buf_init(&text, SESSION_FILE_MAX);
	buf_init(&message, BUF_TEXT_MAX);
	session_finishing(session, FINISHING);
	rc = store_dump(&text, store, err);
	rc = rc ? rc : publish_message(&message, session, store, subject, body, NULL, err);
	change = (struct change){.path = session->state_path, .data = text.data, .len = text.len};
	if (!rc && session->settle_ref) {
		rc = commit_build(&commit, session->repo, &session->base, &change, 1, message.data,
				  session->sys, err);
		rc = rc ? rc : push_settle_branch(session, &commit, err);
		again = false;
	}
	for (int i = 0; i < TRIES && again && !rc; i++)
		rc = publish_to_base(session, &change, 1, message.data, &commit, &again, err);
	session_finishing(session, NULL);
	if (!rc && again)
		rc = err_set(err, ERR_LOCK, "the branch %s moves too fast: try again",
			     session->env->base);
	if (!rc) {
		store_release(&session->store);
		session->loaded = false;
		rc = store_copy(&session->store, store, err);
		session->loaded = !rc;
	}
	buf_release(&text);
	buf_release(&message);
	return rc;
}

/* The commit that a step back undoes: the newest of its phase that itself undid nothing. */
static int find_undone(char out[OID_SIZE], struct session *session, const struct plan *plan,
		       struct err *err)
{
	struct marks marks = {0};
	int rc = 0;

	out[0] = '\0';
	if (plan->row.direction != DIRECTION_BACK)
		return 0;
	rc = commit_find(&marks, session->repo, &session->base, session->env->name, plan->rotation,
			 10000, 0, err);
	for (size_t i = 0; i < marks.count && !rc && !out[0]; i++) {
		const struct trailers *trailers = &marks.items[i].trailers;

		if (trailers->phase && !trailers->reverts &&
		    !strcmp(trailers->phase, phase_name(plan->row.phase)) &&
		    !strstr(marks.items[i].subject, ": settle"))
			memcpy(out, marks.items[i].commit.hex, OID_SIZE);
	}
	marks_release(&marks);
	return rc;
}

static int phase_message(struct buf *out, struct session *session, struct plan *plan,
			 struct err *err)
{
	char undone[OID_SIZE];
	char *subject = str_fmt("certrotate %s: %s%s", session->env->name,
				plan->row.direction == DIRECTION_BACK ? "revert " : "",
				phase_name(plan->row.phase));
	char *body = str_fmt("%s (%s).\n\nOn the way from %s to %s. Proven before: %zu leaves, %zu "
			     "pairs of leaf and bundle, %zu handshakes.",
			     plan->summary, plan->scope, state_name(plan->row.from),
			     state_name(plan->row.to), plan->proof.leaves, plan->proof.pairs,
			     plan->proof.handshakes);
	int rc = subject && body ? find_undone(undone, session, plan, err) : err_nomem(err);

	rc = rc ? rc
		: publish_message(out, session, &plan->store, subject, body,
				  undone[0] ? undone : NULL, err);
	free(subject);
	free(body);
	return rc;
}

int step_publish(struct session *session, struct plan *plan, bool *again, struct err *err)
{
	size_t count = plan->files.count;
	struct change *changes = calloc(count + 1, sizeof(*changes));
	struct buf message;
	struct oid commit;
	int rc = changes ? 0 : err_nomem(err);

	*again = false;
	buf_init(&message, BUF_TEXT_MAX);
	for (size_t i = 0; i < count && !rc; i++) {
		const struct holding_file *file = &plan->files.items[i];

		changes[i] = (struct change){.path = file->path,
					     .data = file->remove ? NULL : file->data.data,
					     .len = file->data.len};
	}
	rc = rc ? rc : phase_message(&message, session, plan, err);
	session_finishing(session, FINISHING);
	if (!rc && session->settle_ref)
		rc = merge_publish(session, plan, changes, count, message.data, err);
	else if (!rc)
		rc = publish_to_base(session, changes, count, message.data, &commit, again, err);
	session_finishing(session, NULL);
	buf_release(&message);
	free(changes);
	return rc;
}

int step_claimed(struct session *session, const struct plan *plan, struct err *err)
{
	const struct under_way *ours = &plan->store.under_way;
	const struct under_way *now;
	int rc;

	if (!session->env->push)
		return 0;
	session->claimed_at = session->sys->now(session->sys);
	rc = session_fetch(session, err);
	rc = rc ? rc : session_load(session, err);
	if (rc)
		return rc;
	now = &session->store.under_way;
	if (now->active && now->phase == ours->phase && now->direction == ours->direction &&
	    now->since && ours->since && !strcmp(now->since, ours->since) && now->host &&
	    !strcmp(now->host, session->host))
		return 0;
	return others_took_over(&session->store, err);
}

int step_awake(struct session *session, const struct plan *plan, struct err *err)
{
	int64_t passed = session->sys->now(session->sys) - session->claimed_at;

	return passed >= 0 && passed <= AWAKE_S ? 0 : step_claimed(session, plan, err);
}

int step_unmoved(struct session *session, struct err *err)
{
	int64_t revision = session->store.revision;
	struct oid base = session->base;
	int rc;

	if (!session->env->push)
		return 0;
	rc = session_fetch(session, err);
	rc = rc ? rc : session_load(session, err);
	if (rc)
		return rc;
	if (session->store.revision != revision)
		return others_were_faster(&session->store, session->host, err);
	session->base = base; /* the plan was made on it */
	return 0;
}

/*
 * A claim is told from the one before by its moment: also within one second, and where this
 * machine's clock is behind the other one's.
 */
static int64_t claim_time(struct session *session)
{
	const char *since = session->store.under_way.since;
	int64_t now = session->sys->now(session->sys), before;

	return since && !sys_time_parse(since, &before, NULL) && now <= before ? before + 1 : now;
}

int step_take_over(struct session *session, struct err *err)
{
	const struct under_way *under_way = &session->store.under_way;
	struct transition row = {.from = under_way->from,
				 .to = under_way->to,
				 .phase = under_way->phase,
				 .direction = under_way->direction};
	char *subject = str_fmt("certrotate %s: take over %s", session->env->name,
				phase_name(row.phase));
	struct store store;
	int rc = subject ? store_copy(&store, &session->store, err) : err_nomem(err);

	if (rc) {
		free(subject);
		return rc;
	}
	rc = store_begin(&store, &row, session->by, session->host, claim_time(session),
			 under_way->reason, err);
	rc = rc ? rc : store_set(&store.under_way.begun, under_way->begun, err);
	if (!rc && under_way->again && !(store.under_way.again = js_copy(under_way->again)))
		rc = err_nomem(err);
	rc = rc ? rc : publish_state(session, &store, subject, NULL, err);
	store_release(&store);
	free(subject);
	return rc;
}
