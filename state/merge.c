/* SPDX-License-Identifier: PostgreSQL */
#include "state/merge.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "git/remote.h"
#include "git/worktree.h"
#include "net/http.h"
#include "state/merge_impl.h"
#include "state/merge_note.h"
#include "state/merge_text.h"
#include "state/steps.h"

#define PREFIX "certrotate/"

struct merge_link {
	struct http *http; /* NULL where there is no token: people open merge requests */
	struct forge_place place;
	struct forge forge;
	char *origin;
};

/* A branch that waits, and what it is to bring. */
struct waiting {
	char *ref;	    /* refs/remotes/REMOTE/certrotate/…; NULL where none waits */
	const char *branch; /* in it */
	struct oid tip;
	enum direction direction;
	int64_t revision; /* of the state that it brings */
};

static void waiting_release(struct waiting *waiting)
{
	free(waiting->ref);
	*waiting = (struct waiting){.ref = NULL};
}

/* 0 where the base has no state yet. */
static int base_revision(int64_t *out, struct session *session, struct err *err)
{
	struct err none = {0};
	struct store store;
	int rc = session_state_of(&store, session, &session->base, session->env->base, &none);

	*out = 0;
	if (rc == ERR_NOENT)
		return 0;
	if (rc && err)
		*err = none;
	if (rc)
		return rc;
	*out = store.revision;
	store_release(&store);
	return 0;
}

/*
 * The newest pushed branch of this environment whose state the base does not have yet. What was
 * settled since does not count: an application's word is recorded there at any time.
 */
static int find_waiting(struct waiting *out, struct session *session, struct err *err)
{
	struct strs refs = STRS_INIT;
	char *prefix = str_fmt("%s-", session->settle_ref);
	int rc = prefix ? repo_refs_below(&refs, session->repo, prefix, err) : err_nomem(err);

	*out = (struct waiting){.ref = NULL};
	rc = rc ? rc : base_revision(&out->revision, session, err);
	for (size_t i = 0; i < refs.count && !rc; i++) {
		struct store store;

		if (session_read_state(&store, session, refs.items[i], NULL))
			continue;
		if (store.revision > out->revision) {
			out->revision = store.revision;
			out->direction = store.under_way.direction;
			rc = store_set(&out->ref, refs.items[i], err);
		}
		store_release(&store);
	}
	if (!rc && out->ref) {
		out->branch = strstr(out->ref, PREFIX);
		rc = repo_ref(&out->tip, session->repo, out->ref, err);
	}
	strs_release(&refs);
	free(prefix);
	if (rc)
		waiting_release(out);
	return rc;
}

/* "certrotate/poc-trust-r7": the revision keeps a phase that is done again apart. */
char *merge_branch_name(const struct session *session, enum phase phase, enum direction direction,
			int64_t revision)
{
	return str_fmt(PREFIX "%s-%s%s-r%lld", session->env->name,
		       direction == DIRECTION_BACK ? "revert-" : "", phase_name(phase),
		       (long long)revision);
}

/* ---- the forge */

void merge_link_free(struct merge_link *link)
{
	if (!link)
		return;
	http_free(link->http);
	secret_wipe(&link->forge.token);
	forge_place_release(&link->place);
	free(link->origin);
	free(link);
}

static int find_place(struct merge_link *link, struct session *session, struct err *err)
{
	char *url = NULL;
	int rc = remote_url(&url, session->repo, session->env->remote, err);

	rc = rc ? rc : forge_place_find(&link->place, &session->env->forge, url, err);
	free(url);
	return rc;
}

static int connect_forge(struct merge_link *link, struct session *session, struct err *err)
{
	const struct forge_config *config = &session->env->forge;
	const char *root = repo_root(session->repo);
	char *ca_file = config->ca_file ? path_join(root, config->ca_file) : NULL;
	struct http_options options = {
		.sys = session->sys, .stop = session->stop, .ca_file = ca_file};
	int rc = config->ca_file && !ca_file
			 ? err_nomem(err)
			 : forge_place_check(&link->place, session->env->remote, err);

	rc = rc ? rc
		: forge_token(&link->forge.token, &link->origin, session->arena, config, root,
			      session->sys, &session->config->secret_variables, session->stop, err);
	rc = rc ? rc : http_new(&link->http, &options, err);
	free(ca_file);
	link->forge.http = link->http;
	link->forge.place = &link->place;
	link->forge.token_origin = link->origin;
	return rc;
}

int merge_forge(struct forge **forge, struct session *session, struct err *err)
{
	struct merge_link *link = session->merge;
	int rc = 0;

	*forge = NULL;
	if (!link) {
		link = calloc(1, sizeof(*link));
		if (!link)
			return err_nomem(err);
		link->place.kind = FORGE__MAX;
		rc = find_place(link, session, err);
		if (!rc && forge_has_token(&session->env->forge))
			rc = connect_forge(link, session, err);
		if (rc) {
			merge_link_free(link);
			return rc;
		}
		session->merge = link;
	}
	if (link->http)
		*forge = &link->forge;
	return 0;
}

/* ---- what is said */

static int waits(const struct session *session, const char *branch, struct err *err)
{
	return err_set(err, ERR_GATE, "waiting for the merge of %s into %s", branch,
		       session->env->base);
}

/* No forge was asked: the page that opens one. */
static int say_page(struct session *session, const char *branch, enum direction direction,
		    struct err *err)
{
	struct merge_link link = {.place = {.kind = FORGE__MAX}};
	struct buf page;
	int rc = find_place(&link, session, err);

	buf_init(&page, BUF_TEXT_MAX);
	rc = rc ? rc : forge_place_page(&page, &link.place, branch, session->env->base, err);
	if (!rc) {
		rc = waits(session, branch, err);
		if (page.len)
			err_hint(err,
				 "open the merge request at %s; once it is merged, type "
				 "'certrotate %s' again",
				 page.data, direction_verb(direction));
		else
			err_hint(err,
				 "open a merge request for the branch %s; once it is merged, "
				 "type 'certrotate %s' again",
				 branch, direction_verb(direction));
	}
	buf_release(&page);
	forge_place_release(&link.place);
	return rc;
}

static int say_known(struct session *session, const char *branch, enum direction direction,
		     const struct merge_note *note, struct err *err)
{
	int rc = waits(session, branch, err);

	err_hint(err, "%s %s%s%s%s %s %s%s%s%s; once it is merged, type 'certrotate %s' again",
		 note->thing, note->name, note->url[0] ? " (" : "", note->url,
		 note->url[0] ? ")" : "", note->seen ? "was" : "is", merge_state_name(note->state),
		 note->draft ? ", as a draft" : "", note->seen ? " at " : "",
		 note->seen ? note->seen : "", direction_verb(direction));
	return rc;
}

int step_awaited(struct session *session, struct err *err)
{
	struct waiting waiting;
	struct merge_note note;
	int rc;

	if (!session->settle_ref)
		return 0;
	rc = find_waiting(&waiting, session, err);
	if (!rc && waiting.ref) {
		if (forge_has_token(&session->env->forge) &&
		    merge_note_load(&note, session, waiting.branch)) {
			rc = say_known(session, waiting.branch, waiting.direction, &note, err);
			merge_note_release(&note);
		} else {
			rc = say_page(session, waiting.branch, waiting.direction, err);
		}
	}
	waiting_release(&waiting);
	return rc;
}

/* The forge failed us: what it said, and that the branch is safe and goes on waiting. */
static int without_forge(const struct session *session, const char *branch, struct err *err)
{
	char hint[sizeof(err->hint)];

	memcpy(hint, err->hint, sizeof(hint));
	(void)err_prefix(err, "%s waits for its merge into %s, and its merge request is not known",
			 branch, session->env->base);
	return err_hint(err, "%s%snothing is rolled out; the command goes on from here", hint,
			hint[0] ? "; " : "");
}

/* ---- opening, and keeping up to date */

/* What people wrote stays; what we wrote about another commit is written anew. */
static int freshen(struct forge *forge, const struct merge_request *request,
		   const struct merge_text *text, struct err *err)
{
	if (!strstr(request->text, MERGE_MARK) || strstr(request->text, text->marker))
		return 0;
	return forge_update(forge, request->number, text->title, text->text, err);
}

static int open_or_freshen(struct merge_request *request, struct forge *forge,
			   struct session *session, const struct waiting *waiting, struct err *err)
{
	struct merge_text text;
	int rc = merge_text_make(&text, session, &waiting->tip, err);

	if (rc)
		return rc;
	if (!request->number)
		rc = forge_open(request, forge, waiting->branch, session->env->base, text.title,
				text.text, err);
	rc = rc ? rc : freshen(forge, request, &text, err);
	merge_text_release(&text);
	return rc;
}

static int say_request(struct session *session, const struct forge *forge,
		       const struct waiting *waiting, const struct merge_request *request,
		       struct err *err)
{
	struct merge_note note = {.name = request->name,
				  .thing = (char *)(uintptr_t)forge_thing(forge),
				  .url = request->url,
				  .state = request->state,
				  .draft = request->draft};

	merge_note_keep(session, waiting->branch, waiting->revision, forge_thing(forge), request);
	if (request->state == MERGE_OPEN)
		return say_known(session, waiting->branch, waiting->direction, &note, err);
	/* Merged, it says, and the base that we have just fetched does not have it. */
	(void)waits(session, waiting->branch, err);
	return err_hint(err,
			"%s says that %s %s %s is merged%s%s, but %s on %s does not have it: look "
			"where it went, then type 'certrotate %s' again; 'certrotate revert' takes "
			"the branch back",
			forge_name(forge), note.thing, note.name, note.url,
			request->merged[0] ? " as " : "", request->merged, session->env->base,
			session->env->remote, direction_verb(waiting->direction));
}

static int take_back(struct session *session, const struct waiting *waiting, struct err *err)
{
	char *ref = str_fmt("refs/heads/%s", waiting->branch);
	int rc = ref ? remote_push_delete(session->repo, session->env->remote, ref, &waiting->tip,
					  err)
		     : err_nomem(err);

	free(ref);
	return rc;
}

/* Closed without a merge: whoever reviews has said no. */
static int abandon(struct session *session, const struct forge *forge,
		   const struct waiting *waiting, const struct merge_request *request,
		   struct err *err)
{
	int rc = take_back(session, waiting, err);

	if (rc)
		return rc;
	merge_note_drop(session);
	err_set(err, ERR_GATE,
		"%s %s%s%s was closed without being merged: the phase is abandoned, and its "
		"branch %s was taken back",
		forge_thing(forge), request->name, request->url[0] ? " " : "", request->url,
		waiting->branch);
	return err_hint(err,
			"nothing was rolled out; 'certrotate %s' begins it afresh, with another "
			"%s",
			direction_verb(waiting->direction), forge_thing(forge));
}

static int say_gone(struct session *session, const struct forge *forge,
		    const struct merge_note *note, const struct merge_request *request,
		    struct err *err)
{
	merge_note_drop(session);
	if (request->state == MERGE_CLOSED)
		err_set(err, ERR_GATE,
			"%s %s%s%s was closed without being merged, and its branch %s is gone: the "
			"phase is abandoned",
			forge_thing(forge), request->name, request->url[0] ? " " : "", request->url,
			note->branch);
	else
		err_set(err, ERR_GATE,
			"%s says that %s %s%s%s is merged, but %s on %s does not have it, and its "
			"branch %s is gone",
			forge_name(forge), forge_thing(forge), request->name,
			request->url[0] ? " " : "", request->url, session->env->base,
			session->env->remote, note->branch);
	return err_hint(err,
			"nothing was rolled out; the same command again begins afresh, with "
			"another %s",
			forge_thing(forge));
}

/* fresh: the branch was pushed just now. */
static int ask_forge(struct session *session, struct forge *forge, const struct waiting *waiting,
		     bool fresh, struct err *err)
{
	struct merge_request request = {.state = MERGE_STATE__MAX};
	int rc = fresh ? ERR_NOENT
		       : forge_find(&request, forge, waiting->branch, session->env->base,
				    waiting->tip.hex, err);

	if (rc == ERR_NOENT || (!rc && request.state == MERGE_OPEN))
		rc = open_or_freshen(&request, forge, session, waiting, err);
	if (rc)
		rc = without_forge(session, waiting->branch, err);
	else if (request.state == MERGE_CLOSED)
		rc = abandon(session, forge, waiting, &request, err);
	else
		rc = say_request(session, forge, waiting, &request, err);
	merge_request_release(&request);
	return rc;
}

/*
 * The branch that this machine asked about last is gone, and the base does not have it: whoever
 * closed its merge request has deleted it, too. Said once; ERR_GATE then. A forge that cannot be
 * asked holds nothing up: reviewers get another merge request at most.
 */
static int look_for_gone(struct session *session, struct err *err)
{
	struct merge_request request = {.state = MERGE_STATE__MAX};
	struct forge *forge = NULL;
	struct merge_note note;
	struct err why = {0};
	int64_t revision = 0;
	bool ends;
	int rc;

	if (!merge_note_load(&note, session, NULL))
		return 0;
	rc = base_revision(&revision, session, &why);
	if (!rc && note.revision > revision)
		rc = merge_forge(&forge, session, &why);
	if (!rc && forge)
		rc = forge_get(&request, forge, note.number, &why);
	if (!rc && forge && request.state != MERGE_OPEN)
		rc = say_gone(session, forge, &note, &request, &why);
	ends = rc == ERR_GATE || rc == ERR_STOPPED || rc == ERR_MACHINE;
	if (rc && !ends && rc != ERR_NOENT)
		log_line(session->log, LOG_WARNING,
			 "the branch %s is gone, and whether its %s was closed is not known: %s",
			 note.branch, note.thing, why.msg);
	if (ends && err)
		*err = why;
	merge_request_release(&request);
	merge_note_release(&note);
	return ends ? rc : 0;
}

int merge_ask(struct session *session, struct err *err)
{
	struct forge *forge = NULL;
	struct waiting waiting;
	int rc;

	if (!session->settle_ref)
		return 0;
	rc = find_waiting(&waiting, session, err);
	if (!rc && waiting.ref) {
		rc = merge_forge(&forge, session, err);
		if (!rc && forge)
			rc = ask_forge(session, forge, &waiting, false, err);
		else if (!rc)
			rc = say_page(session, waiting.branch, waiting.direction, err);
	} else if (!rc) {
		rc = look_for_gone(session, err);
	}
	waiting_release(&waiting);
	return rc;
}

int merge_publish(struct session *session, struct plan *plan, const struct change *changes,
		  size_t count, const char *message, struct err *err)
{
	struct waiting waiting = {.direction = plan->row.direction,
				  .revision = plan->store.revision};
	struct forge *forge = NULL;
	char *branch = merge_branch_name(session, plan->row.phase, plan->row.direction,
					 plan->store.revision);
	char *ref = branch ? str_fmt("refs/heads/%s", branch) : NULL;
	int rc = ref ? merge_forge(&forge, session, err) : err_nomem(err);

	rc = rc ? rc
		: commit_build(&waiting.tip, session->repo, &session->base, changes, count, message,
			       session->sys, err);
	rc = rc ? rc
		: remote_push(session->repo, session->env->remote, &waiting.tip, ref, &OID_NONE,
			      NULL, err);
	waiting.branch = branch;
	if (!rc && forge)
		rc = ask_forge(session, forge, &waiting, true, err);
	else if (!rc)
		rc = say_page(session, branch, plan->row.direction, err);
	free(branch);
	free(ref);
	return rc;
}

/* ---- taking it back */

/*
 * The forge says merged, and the base that was fetched before does not have it: it came in between,
 * or went elsewhere and never comes.
 */
static int came_in_between(struct session *session, const struct forge *forge,
			   const struct waiting *waiting, const struct merge_request *request,
			   struct err *err)
{
	int64_t revision = 0;
	int rc = session_fetch(session, err);

	rc = rc ? rc : session_load(session, err);
	rc = rc ? rc : base_revision(&revision, session, err);
	if (rc)
		return rc;
	if (revision >= waiting->revision) {
		err_set(err, ERR_GATE, "%s %s is merged already, %s says", forge_thing(forge),
			request->name, forge_name(forge));
		return err_hint(err, "type the command again: what is merged is taken back another "
				     "way");
	}
	log_line(session->log, LOG_WARNING,
		 "%s says that %s %s is merged, but %s on %s does not have it: its branch is taken "
		 "back all the same",
		 forge_name(forge), forge_thing(forge), request->name, session->env->base,
		 session->env->remote);
	return 0;
}

/* A merge request without its branch is closed by most forges, and by us where one does not. */
static int close_request(struct session *session, struct forge *forge,
			 const struct waiting *waiting, struct err *err)
{
	struct merge_request request;
	struct err local = {0};
	int rc = forge_find(&request, forge, waiting->branch, session->env->base, waiting->tip.hex,
			    &local);

	if (!rc && request.state == MERGE_MERGED) {
		rc = came_in_between(session, forge, waiting, &request, err);
		merge_request_release(&request);
		return rc;
	}
	if (!rc && request.state == MERGE_OPEN)
		rc = forge_close(forge, request.number, &local);
	if (rc && rc != ERR_NOENT && rc != ERR_STOPPED)
		log_line(session->log, LOG_WARNING,
			 "the merge request of %s was not closed, close it by hand: %s",
			 waiting->branch, local.msg);
	merge_request_release(&request);
	if (rc == ERR_STOPPED && err)
		*err = local;
	return rc == ERR_STOPPED ? rc : 0;
}

int step_withdraw(struct session *session, bool *found, struct err *err)
{
	struct forge *forge = NULL;
	struct err unknown = {0};
	struct waiting waiting;
	int rc;

	*found = false;
	if (!session->settle_ref)
		return 0;
	rc = find_waiting(&waiting, session, err);
	if (!rc && waiting.ref) {
		*found = true;
		/* What was pushed can be taken back without a token. */
		if (merge_forge(&forge, session, &unknown))
			log_line(session->log, LOG_WARNING,
				 "%s; close the merge request of %s by "
				 "hand",
				 unknown.msg, waiting.branch);
		if (forge)
			rc = close_request(session, forge, &waiting, err);
		rc = rc ? rc : take_back(session, &waiting, err);
		if (!rc) {
			merge_note_drop(session);
			log_line(session->log, LOG_INFO, "took back %s, which nobody had merged",
				 waiting.branch);
		}
	} else if (!rc) {
		/* What was to be taken back is gone: the phase before it is another matter. */
		rc = look_for_gone(session, err);
	}
	waiting_release(&waiting);
	return rc;
}
