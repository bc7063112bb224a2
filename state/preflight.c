/* SPDX-License-Identifier: PostgreSQL */
#include <stdlib.h>
#include <string.h>

#include "git/worktree.h"
#include "proc/child.h"
#include "state/steps.h"

#define NAMES_SHOWN 5

static int check_branch(struct session *session, const struct head *head, struct err *err)
{
	if (!strcmp(head->ref, session->base_branch_ref))
		return 0;
	err_set(err, ERR_USAGE, "the checkout is on branch %s; %s lives on %s", head->branch,
		session->env->name, session->env->base);
	return err_hint(err, "git switch %s, or set git.base in certrotate.yml",
			session->env->base);
}

/* The checkout must be the base's tip: Ansible runs what is checked out. */
static int align(struct session *session, const struct head *head, bool *moved, struct err *err)
{
	size_t ahead = 0, behind = 0;
	int rc = repo_ahead_behind(&ahead, &behind, session->repo, &head->tip, &session->base, err);

	*moved = false;
	if (!rc && ahead) {
		err_set(err, ERR_FAIL, "branch %s has %zu commit%s that %s does not have",
			head->branch, ahead, ahead == 1 ? "" : "s", session->env->remote);
		return err_hint(err, "push them, or move them to a branch of their own: a rollout "
				     "uses the checkout, and it has to be what the team sees");
	}
	if (rc || !behind)
		return rc;
	*moved = true;
	return branch_fast_forward(session->repo, &session->base, err);
}

/* What hooks run of the repository. */
static int add_hooks(struct strs *out, const struct hooks *hooks, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; i < hooks->count && !rc; i++) {
		const struct hook *hook = &hooks->items[i];
		const char *program = hook->kind == HOOK_EXEC ? hook->command.items[0] : "";

		if (hook->kind == HOOK_ANSIBLE)
			rc = strs_add_unique(out, hook->play.playbook, err);
		else if (strchr(program, '/') && program[0] != '/')
			rc = strs_add_unique(out, str_starts(program, "./") ? program + 2 : program,
					     err);
	}
	return rc;
}

static int add_applications(struct strs *out, const struct config *config, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; i < config->application_count && !rc; i++) {
		const struct application *app = &config->applications[i];

		rc = add_hooks(out, &app->trust, err);
		rc = rc ? rc : add_hooks(out, &app->clients, err);
		rc = rc ? rc : add_hooks(out, &app->prune, err);
	}
	return rc;
}

static int add_prefixes(struct strs *out, const struct session *session, struct err *err)
{
	static const char *const fixed[] = {
		"ansible.cfg",	     "roles",	       "library",
		"module_utils",	     "filter_plugins", "action_plugins",
		"plugins",	     "playbooks",      "tasks",
		"templates",	     "files",	       "group_vars",
		"host_vars",	     "collections",    "requirements.yml",
		"requirements.yaml", "vars",
	};
	const struct environment *env = session->env;
	const char *const own[] = {env->inventory, env->certs, env->keys, env->chain,
				   session->config->file};
	char *folder = str_fmt(".certrotate/%s", env->name);
	int rc = folder ? strs_add(out, folder, err) : err_nomem(err);

	free(folder);
	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]) && !rc; i++)
		rc = strs_add(out, fixed[i], err);
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]) && !rc; i++) {
		if (own[i] && own[i][0] != '/')
			rc = strs_add_unique(out, own[i], err);
	}
	for (int phase = 0; phase < ROLLOUT__MAX; phase++) {
		for (size_t i = 0; i < env->rollout[phase].count && !rc; i++)
			rc = strs_add_unique(out, env->rollout[phase].items[i].playbook, err);
	}
	for (size_t i = 0; i < env->check.count && !rc; i++)
		rc = strs_add_unique(out, env->check.items[i].playbook, err);
	return rc ? rc : add_applications(out, session->config, err);
}

static int check_unmodified(struct session *session, struct err *err)
{
	struct strs prefixes = STRS_INIT, changed = STRS_INIT;
	char names[512];
	int rc = add_prefixes(&prefixes, session, err);

	rc = rc ? rc
		: worktree_changed(&changed, session->repo,
				   (const char *const *)(void *)prefixes.items, prefixes.count,
				   err);
	if (!rc && changed.count) {
		strs_join(&changed, NAMES_SHOWN, names, sizeof(names));
		rc = err_set(err, ERR_FAIL, "changes that are not committed: %s", names);
		err_hint(err, "commit and push them, or put them aside with 'git stash': Ansible "
			      "runs this very checkout");
	}
	strs_release(&prefixes);
	strs_release(&changed);
	return rc;
}

int step_preflight(struct session *session, bool *moved, struct err *err)
{
	struct head head = {0};
	int rc = repo_check_quiet(session->repo, err);

	*moved = false;
	/* What a kill left half-way is no change of the user's. */
	rc = rc ? rc : branch_recover(session->repo, err);
	rc = rc ? rc : repo_head(&head, session->repo, err);
	rc = rc ? rc : check_branch(session, &head, err);
	rc = rc ? rc : align(session, &head, moved, err);
	rc = rc || *moved ? rc : check_unmodified(session, err);
	head_release(&head);
	return rc;
}
