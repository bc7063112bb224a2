/* SPDX-License-Identifier: PostgreSQL */
/*
 * Hooks: what the applications have done in a phase, behind the playbooks of the rollout. The
 * hooks of a wave run one application after the other, each application's in their order; in the
 * phase clients a wave begins once the census has seen the users of those before it with their new
 * certificates. On the way back the same hooks run, the last wave first.
 *
 * Done once: each hook has a key, which is in the journal (journal.h) before and behind it:
 *
 *   ROTATION/PHASE/DIRECTION/BEGUN/hook/APPLICATION/HOOK/ATTEMPT[/back]/CALL
 *
 * BEGUN is when the phase was begun, whoever goes on with it; CALL a sum of what is configured;
 * ATTEMPT grows when the wave was taken back alone, on whichever machine, and "/back" is that. The
 * hook gets a sum of the key ("CERTROTATE_KEY"): one that began and whose end is not known runs
 * again with the same.
 *
 * What came of them is kept in this machine's folder (hooks.json) until the phase settles, and
 * becomes part of its entry in the history then.
 */
#ifndef STATE_HOOKS_H
#define STATE_HOOKS_H

#include <stdbool.h>
#include "base/err.h"
#include "base/finding.h"
#include "base/strs.h"
#include "inventory/config.h"
#include "state/session.h"
#include "state/table.h"

/* Borrowed from the configuration. */
struct hook_item {
	const struct application *app;
	const struct hook *hook;
};

struct hook_list {
	struct hook_item *items; /* in the order in which they run */
	size_t count;
};

/* An application's hooks in a phase: those of clients in an emergency; NULL where a phase has none.
 */
const struct hooks *hooks_of(const struct application *app, enum phase phase);
/* Those of the applications that have a client leaf in gen. hook_list_release() it. */
int hooks_list(struct hook_list *out, const struct session *session, enum phase phase,
	       enum direction direction, const struct generation *gen, struct err *err);
void hook_list_release(struct hook_list *list);
/* "wave 2: shop: exec hooks/reload" of each. */
int hook_list_texts(struct strs *out, const struct hook_list *list, struct err *err);
/* What it does, in a line: "exec hooks/reload --now", "webhook https://hooks.example.com"; free()
 * it. Of an address no more than its host: the rest may be a secret. */
char *hook_text(const struct hook *hook);

/*
 * Whether an application's word counts for what is under way: given since it was begun, in its
 * direction. NULL where there is none.
 */
const struct json *hooks_word(const struct store *store, const char *app);
/* Whether what is under way runs hooks, so that applications may give their word in its middle. */
bool hooks_run_in(const struct session *session);

struct json;
struct plan;

/* Adds "hooks" and "waves" to an entry of the history: what came of them. */
int hooks_evidence(struct json *entry, const struct session *session, struct err *err);
/* The words that hooks are themselves once their phase is complete: who trusts both chains. */
int hooks_give_words(struct store *store, const struct session *session, const struct plan *plan,
		     struct err *err);

/*
 * "hook-waits": which applications' words the phase that is under way waits for. gen: whose users
 * have a part in it, where another machine drives it; NULL: not known.
 */
int hooks_waiting(struct findings *out, const struct session *session, const struct generation *gen,
		  struct err *err);

#endif
