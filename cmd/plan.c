/* SPDX-License-Identifier: PostgreSQL */
#include <stdlib.h>
#include <string.h>

#include "cmd/commands.h"
#include "cmd/context.h"
#include "cmd/show.h"
#include "git/diff.h"
#include "state/gates.h"
#include "state/access.h"
#include "state/runner.h"
#include "state/steps.h"

#define TEXT_MAX ((size_t)64 << 20)

/* With a line for each certificate in place of its own ones. */
static int diff_shown(struct buf *out, const struct holding_file *file, const struct buf *old,
		      bool there, struct err *err)
{
	struct buf before, after, marked;
	struct shown shown = SHOWN_INIT;
	int rc;

	buf_init(&before, SESSION_FILE_MAX);
	buf_init(&after, SESSION_FILE_MAX);
	buf_init(&marked, SESSION_FILE_MAX);
	rc = shown_mark(&before, &shown, old->data, old->len, err);
	rc = rc ? rc : shown_mark(&after, &shown, file->data.data, file->data.len, err);
	rc = rc ? rc
		: diff_text(&marked, file->path, there ? before.data : NULL, before.len,
			    file->remove ? NULL : after.data, after.len, NULL, NULL, err);
	rc = rc ? rc : shown_expand(out, &shown, marked.data, marked.len, err);
	buf_release(&before);
	buf_release(&after);
	buf_release(&marked);
	shown_release(&shown);
	return rc;
}

static int diff_file(struct buf *out, struct session *session, const struct holding_file *file,
		     bool whole, struct err *err)
{
	struct buf old;
	bool there;
	int rc;

	buf_init(&old, SESSION_FILE_MAX);
	rc = repo_read(&old, session->repo, &session->base, file->path, SESSION_FILE_MAX, err);
	there = !rc;
	if (rc == ERR_NOENT)
		rc = 0;
	whole = whole || !shown_can_mark(old.data, old.len) ||
		!shown_can_mark(file->data.data, file->data.len);
	if (!rc && whole)
		rc = diff_text(out, file->path, there ? old.data : NULL, old.len,
			       file->remove ? NULL : file->data.data, file->data.len, NULL, NULL,
			       err);
	else if (!rc)
		rc = diff_shown(out, file, &old, there, err);
	buf_release(&old);
	return rc;
}

static int commands_of(struct strs *out, const struct session *session, const struct plan *plan,
		       struct err *err)
{
	struct plan_steps steps;
	int rc = plan_steps(&steps, session->env, plan->row.phase, err);

	for (size_t i = 0; i < steps.count && !rc; i++) {
		const struct rollout_step *step = steps.items[i];

		rc = strs_addf(out, err, "ansible-playbook -i %s%s%s%s%s%s%s %s",
			       session->env->inventory, step->tags ? " --tags " : "",
			       step->tags ? step->tags : "", step->skip_tags ? " --skip-tags " : "",
			       step->skip_tags ? step->skip_tags : "",
			       step->limit ? " --limit " : "", step->limit ? step->limit : "",
			       step->playbook);
	}
	plan_steps_release(&steps);
	return rc;
}

static int print_plan(struct ui *ui, struct session *session, const struct plan *plan,
		      bool with_diff, struct err *err)
{
	struct strs runs = STRS_INIT;
	struct buf diff;
	int rc = commands_of(&runs, session, plan, err);

	buf_init(&diff, TEXT_MAX);
	ui_prose(ui, 0, "%s%s%s\n", ui_color(ui, UI_BOLD), plan->summary, ui_color(ui, UI_PLAIN));
	ui_prose(ui, 0, "from %s to %s; %s\n", state_name(plan->row.from), state_name(plan->row.to),
		 plan->scope);
	for (size_t i = 0; i < plan->files.count && !rc && with_diff; i++) {
		const struct holding_file *file = &plan->files.items[i];

		/* Its lines say once more what stands above. */
		if (ui->verbose || strcmp(file->path, session->state_path) != 0)
			rc = diff_file(&diff, session, file, ui->verbose, err);
	}
	for (size_t i = 0; i < runs.count && !rc; i++)
		ui_out(ui, "%s %s\n", i ? "   " : "run", runs.items[i]);
	for (size_t i = 0; i < plan->hooks.count && !rc; i++)
		ui_prose(ui, 5, "hook %s\n", plan->hooks.items[i]);
	if (!rc && diff.len)
		ui_out(ui, "\n%s", diff.data);
	buf_release(&diff);
	strs_release(&runs);
	return rc;
}

static const char *plural(size_t count)
{
	return count == 1 ? "" : "s";
}

/* The last word: how much was proven, and what follows from it. */
static void print_proof(struct ui *ui, const struct plan *plan)
{
	size_t blocks = findings_count(&plan->findings, SEVERITY_BLOCK);

	if (plan->proof.pairs)
		ui_prose(ui, 0,
			 "proven%s: %zu lea%s, %zu pair%s of leaf and bundle, %zu TLS handshake%s, "
			 "in %.1f s\n",
			 plan->has_new ? "" : " what is live today", plan->proof.leaves,
			 plan->proof.leaves == 1 ? "f" : "ves", plan->proof.pairs,
			 plural(plan->proof.pairs), plan->proof.handshakes,
			 plural(plan->proof.handshakes), (double)plan->proof.ms / 1000);
	else
		ui_out(ui, "nothing was proven: nothing live changes\n");
	if (blocks)
		ui_prose(ui, 0, "%s%s does not begin: %zu finding%s in the way%s\n",
			 ui_color(ui, UI_RED), phase_name(plan->row.phase), blocks, plural(blocks),
			 ui_color(ui, UI_PLAIN));
	else
		ui_prose(ui, 0, "%snothing is in the way of %s%s%s\n", ui_color(ui, UI_GREEN),
			 phase_name(plan->row.phase),
			 plan->has_new ? "" : "; the new chain is proven once it is made",
			 ui_color(ui, UI_PLAIN));
}

static struct json *proof_json(const struct plan *plan)
{
	struct json *proof = js_new_object();

	(void)js_set_int(proof, "leaves", (int64_t)plan->proof.leaves);
	(void)js_set_int(proof, "pairs", (int64_t)plan->proof.pairs);
	(void)js_set_int(proof, "handshakes", (int64_t)plan->proof.handshakes);
	(void)js_set_int(proof, "checks", (int64_t)plan->proof.checks);
	(void)js_set_int(proof, "ms", plan->proof.ms);
	return proof;
}

static int print_json(struct ui *ui, struct session *session, const struct plan *plan,
		      struct err *err)
{
	struct json *root = js_new_object(), *files = js_new_array(), *list = js_new_array();
	struct json *hooks = js_new_array();
	struct strs runs = STRS_INIT;
	int rc = commands_of(&runs, session, plan, err);

	for (size_t i = 0; i < plan->files.count && !rc; i++) {
		struct json *file = js_new_object();
		struct buf diff;

		buf_init(&diff, TEXT_MAX);
		rc = diff_file(&diff, session, &plan->files.items[i], true, err);
		(void)js_set_str(file, "path", plan->files.items[i].path);
		(void)js_set_bool(file, "removed", plan->files.items[i].remove);
		(void)js_set_str(file, "diff", diff.data);
		(void)js_push(files, file);
		buf_release(&diff);
	}
	for (size_t i = 0; i < runs.count; i++)
		(void)js_push_str(list, runs.items[i]);
	(void)js_set_int(root, "version", 1);
	(void)js_set_str(root, "environment", session->env->name);
	(void)js_set_str(root, "phase", phase_name(plan->row.phase));
	(void)js_set_str(root, "direction", direction_name(plan->row.direction));
	(void)js_set_str(root, "from", state_name(plan->row.from));
	(void)js_set_str(root, "to", state_name(plan->row.to));
	(void)js_set_str(root, "summary", plan->summary);
	(void)js_set_str(root, "scope", plan->scope);
	(void)js_set(root, "findings", ui_findings_json(&plan->findings));
	(void)js_set(root, "proof", proof_json(plan));
	(void)js_set(root, "files", files);
	(void)js_set(root, "commands", list);
	for (size_t i = 0; i < plan->hooks.count; i++)
		(void)js_push_str(hooks, plan->hooks.items[i]);
	(void)js_set(root, "hooks", hooks);
	strs_release(&runs);
	if (!rc)
		return ui_json(ui, root, err);
	js_free(root);
	return rc;
}

/* As this machine's record has it: a plan asks no server. */
static int with_gates(struct plan *plan, struct session *session, struct err *err)
{
	struct gates_input input = {.row = &plan->row, .stays = &plan->new_gen};
	int rc = plan->resume ? 0 : gates_check(&plan->findings, session, &input, err);

	plan_waive(plan, &plan->findings, false);
	findings_sort(&plan->findings);
	return rc;
}

static int show_plan(struct ui *ui, const struct options *options, struct session *session,
		     struct plan *plan, bool with_diff, struct err *err)
{
	int rc;

	if (options->json)
		return print_json(ui, session, plan, err);
	rc = print_plan(ui, session, plan, with_diff, err);
	(void)ui_findings(ui, &plan->findings);
	if (!rc)
		print_proof(ui, plan);
	return rc;
}

/* What the servers say is part of the proof; plan asks nobody. */
static int ask_servers(struct plan *plan, struct session *session, struct err *err)
{
	struct strs skip = STRS_INIT;
	int rc = strs_copy(&skip, &plan->skip, err);

	rc = rc ? rc : strs_copy(&skip, &session->store.behind, err);
	rc = rc ? rc : access_look_before(plan, session, &skip, err);
	strs_release(&skip);
	return rc;
}

static int look_ahead(struct ui *ui, const struct options *options, struct session *session,
		      const struct waivers *waivers, bool with_diff, struct err *err)
{
	struct plan_options plan_options = {
		.dry_run = true, .reason = options->emergency, .waivers = waivers};
	enum event event = options->first	? EVENT_FIRST
			   : options->emergency ? EVENT_EMERGENCY
						: EVENT_NEXT;
	struct plan plan;
	int rc = step_awaited(session, err);

	rc = rc ? rc : plan_make(&plan, session, event, &plan_options, err);
	if (rc)
		return rc;
	if (!with_diff)
		rc = ask_servers(&plan, session, err);
	rc = rc ? rc : with_gates(&plan, session, err);
	rc = rc ? rc : show_plan(ui, options, session, &plan, with_diff, err);
	if (!rc)
		waivers_say_unused(ui, waivers);
	if (!rc && findings_count(&plan.findings, SEVERITY_BLOCK))
		rc = err_exit_code(ERR_GATE);
	plan_release(&plan);
	return rc;
}

static int look(const struct options *options, struct ui *ui, bool with_diff, struct err *err)
{
	struct waivers waivers = {0};
	struct context context;
	struct session session;
	int rc = 0;

	for (size_t i = 0; i < options->waive.count && !rc; i++)
		rc = waivers_add(&waivers, options->waive.items[i], err);
	rc = rc ? rc : context_init(&context, options, ui, err);
	if (rc)
		goto out;
	rc = runner_look(&session, &context.session, err);
	if (!rc) {
		rc = look_ahead(ui, options, &session, &waivers, with_diff, err);
		session_close(&session);
	}
	context_release(&context);
out:
	waivers_release(&waivers);
	return rc;
}

int cmd_plan(const struct options *options, struct ui *ui, struct err *err)
{
	return look(options, ui, true, err);
}

int cmd_prove(const struct options *options, struct ui *ui, struct err *err)
{
	return look(options, ui, false, err);
}
