/* SPDX-License-Identifier: PostgreSQL */
/* Rolling out and looking: see steps.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "inventory/hosts.h"
#include "state/canary.h"
#include "state/play.h"
#include "state/reached.h"
#include "state/steps.h"
#include "state/verify_hosts.h"

#define PATIENCE_MS 20000
#define FINISHING   "the playbook that runs is brought to its end first"
#define NAMES_SHOWN 4 /* in an error, of those of whom the same is said */
#define NAMES_SIZE  1024

int step_mark(struct session *session, const struct plan *plan, const char *step, const char *mark,
	      const char *key, const char *note, struct err *err)
{
	return journal_write(&session->journal, plan->rotation, phase_name(plan->row.phase),
			     direction_name(plan->row.direction), step, mark, key, note, err);
}

/* What one run is about: a phase's own, or a host's that was left behind. */
struct run {
	const char *phase;
	const char *direction;
	const struct strs *only; /* hosts that it is limited to; NULL: all but skip */
	const struct strs *skip;
	const char *log_name; /* NULL: only asks Ansible whether it would run */
	size_t reached;	      /* hosts, all playbooks together */
};

static struct json *run_json(const struct rollout_step *step, const struct ansible_result *result,
			     int64_t at)
{
	struct json *object = js_new_object(), *hosts = js_new_array();
	size_t changed = 0;

	for (size_t i = 0; i < result->count; i++) {
		changed += result->hosts[i].changed > 0;
		(void)js_push_str(hosts, result->hosts[i].name);
	}
	(void)js_set_str(object, "playbook", step->playbook);
	(void)js_set(object, "hosts", hosts);
	(void)js_set_int(object, "changed", (int64_t)changed);
	(void)js_set_int(object, "at", at);
	(void)js_set_int(object, "ms", result->ms);
	return object;
}

static int run_step(struct session *session, const struct rollout_step *step, struct run *run,
		    size_t number, struct json *evidence, struct err *err)
{
	const struct play play = {.step = step,
				  .phase = run->phase,
				  .direction = run->direction,
				  .only = run->only,
				  .skip = run->skip,
				  .log_name = run->log_name,
				  .number = number,
				  .finishes = run->log_name != NULL};
	struct ansible_result result = {.hosts = NULL};
	int64_t at = session->sys->now(session->sys);
	int rc = run->log_name ? play_run(&result, session, &play, err)
			       : play_check(session, &play, err);

	run->reached += result.count;
	if (!rc && evidence && js_push(evidence, run_json(step, &result, at)))
		rc = err_nomem(err);
	ansible_result_release(&result);
	return rc;
}

/* Ansible says that no inventory was parsed, not what is wrong with it: our reader may know. */
static int say_inventory(const struct session *session, int rc, struct err *err)
{
	struct hosts hosts = HOSTS_INIT;

	if (!hosts_read(&hosts, repo_root(session->repo), session->env->inventory, NULL) &&
	    !hosts.count && hosts.passed_over.count)
		err_prefix(err, "%s", hosts.passed_over.items[0]);
	hosts_release(&hosts);
	return rc;
}

int step_check_rollout(struct session *session, const struct plan *plan, struct err *err)
{
	struct run run = {.phase = phase_name(plan->row.phase),
			  .direction = direction_name(plan->row.direction),
			  .skip = &plan->skip};
	struct plan_steps steps;
	int rc = plan_steps(&steps, session->env, plan->row.phase, err);

	for (size_t i = 0; i < steps.count && !rc; i++)
		rc = run_step(session, steps.items[i], &run, i, NULL, err);
	plan_steps_release(&steps);
	return rc ? say_inventory(session, rc, err) : 0;
}

/* What the configuration has ansible-playbook run in this step. */
static void add_call(struct buf *text, const struct rollout_step *step)
{
	buf_adds(text, step->playbook);
	if (step->tags)
		buf_addf(text, " --tags %s", step->tags);
	if (step->skip_tags)
		buf_addf(text, " --skip-tags %s", step->skip_tags);
	if (step->limit)
		buf_addf(text, " --limit %s", step->limit);
	for (size_t i = 0; i < step->extra_args.count; i++)
		buf_addf(text, " %s", step->extra_args.items[i]);
}

/*
 * A step's key: one beginning of a phase runs each of its playbooks to the end once. What was run
 * without a host is not done for all, and what is configured in its place since then not at all.
 */
static char *step_key(const struct plan *plan, const struct plan_steps *steps, size_t number)
{
	const struct under_way *under_way = &plan->store.under_way;
	struct buf text;
	char *key;

	buf_init(&text, BUF_TEXT_MAX);
	buf_addf(&text, "%s/%s/%s/%s/rollout/%zu/", plan->rotation, phase_name(plan->row.phase),
		 direction_name(plan->row.direction), under_way->since ? under_way->since : "",
		 number);
	add_call(&text, steps->items[number]);
	for (size_t i = 0; i < plan->skip.count; i++)
		buf_addf(&text, "/!%s", plan->skip.items[i]);
	key = buf_detach(&text);
	buf_release(&text);
	return key;
}

static int rollout_one(struct session *session, struct plan *plan, const struct plan_steps *steps,
		       size_t number, struct json *evidence, struct err *err)
{
	const struct rollout_step *step = steps->items[number];
	char log_name[64];
	struct run run = {.phase = phase_name(plan->row.phase),
			  .direction = direction_name(plan->row.direction),
			  .skip = &plan->skip,
			  .log_name = log_name};
	char *key = step_key(plan, steps, number);
	int rc = key ? step_claimed(session, plan, err) : err_nomem(err);

	(void)snprintf(log_name, sizeof(log_name), "%s%s",
		       plan->row.direction == DIRECTION_BACK ? "revert-" : "", run.phase);
	rc = rc ? rc : step_mark(session, plan, "rollout", "begin", key, step->playbook, err);
	rc = rc ? rc : step_awake(session, plan, err);
	if (!rc) {
		loop_stop_finishing(session->stop, FINISHING);
		rc = run_step(session, step, &run, number, evidence, err);
		loop_stop_finishing(session->stop, NULL);
		rc = rc ? rc
			: reached_keep(session, key, number == 0,
				       js_at(evidence, js_count(evidence) - 1), err);
		/* The failure is the message; that it cannot be noted as well is not. */
		if (rc)
			(void)step_mark(session, plan, "rollout", "fail", key, err->msg, NULL);
		else
			rc = step_mark(session, plan, "rollout", "end", key, step->playbook, err);
	}
	free(key);
	return rc;
}

/*
 * What the playbooks did that are passed over, as it was kept then. One of which nothing is kept
 * any more runs again, and those behind it: whom it reached would not be known.
 */
static int recall(struct session *session, const struct plan *plan, const struct plan_steps *steps,
		  size_t *done, struct json *evidence, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; i < *done && !rc; i++) {
		char *key = step_key(plan, steps, i);

		rc = key ? reached_recall(session, key, evidence, err) : err_nomem(err);
		free(key);
		if (!rc && js_count(evidence) == i) {
			log_line(session->log, LOG_WARNING,
				 "whom playbook %zu reached is not known any more: it runs again",
				 i + 1);
			*done = i;
		}
	}
	return rc;
}

/* What a damaged journal cannot tell is found out by doing it again: playbooks are idempotent. */
static void say_damage(const struct session *session, const struct plan *plan)
{
	const struct journal *journal = &session->journal;

	if (plan->resume && journal->damaged)
		log_line(session->log, LOG_WARNING,
			 "%s:%zu: this line is damaged, so nothing noted before it counts: the "
			 "playbooks of this phase run again, which changes nothing where they did "
			 "their work",
			 journal->path, journal->damaged_line);
}

/*
 * Whether a resumed phase may pass over a playbook: the journal has its end, and nothing was found
 * wrong on the wire since then (that is why it would be resumed, and only a new run mends it).
 */
static bool done_before(const struct session *session, const struct plan *plan,
			const struct plan_steps *steps, size_t number)
{
	bool again = journal_last_is(&session->journal, "verify", "fail");
	char *key = plan->resume && !again ? step_key(plan, steps, number) : NULL;
	bool ended = key && journal_ended(&session->journal, key);

	free(key);
	return ended;
}

/* Behind a step with a canary: what its hosts log decides about the others. */
static int watch(struct session *session, const struct plan *plan, const struct plan_steps *steps,
		 size_t number, struct json *evidence, struct err *err)
{
	struct json *run = js_at(evidence, number);
	char *key = step_key(plan, steps, number);
	int rc = key ? canary_watch(session, plan, steps->items[number], key, run, err)
		     : err_nomem(err);

	if (!rc && js_get(run, "canary"))
		rc = reached_keep(session, key, false, run, err);
	free(key);
	return rc;
}

int step_rollout_begun(bool *begun, const struct session *session, const struct plan *plan,
		       struct err *err)
{
	struct plan_steps steps;
	int rc = plan_steps(&steps, session->env, plan->row.phase, err);

	*begun = false;
	for (size_t i = 0; i < steps.count && !rc && !*begun; i++) {
		char *key = step_key(plan, &steps, i);

		rc = key ? 0 : err_nomem(err);
		*begun = key && journal_knows(&session->journal, key);
		free(key);
	}
	plan_steps_release(&steps);
	return rc;
}

int step_say_unfinished(const struct plan *plan, struct err *err)
{
	return err_hint(err,
			"%s is unfinished: 'certrotate %s' goes on, 'certrotate %s' turns round",
			phase_name(plan->row.phase), direction_verb(plan->row.direction),
			direction_verb(plan->row.direction == DIRECTION_BACK ? DIRECTION_FORWARD
									     : DIRECTION_BACK));
}

int step_rollout(struct session *session, struct plan *plan, struct json *evidence, struct err *err)
{
	struct plan_steps steps;
	size_t done = 0;
	int rc = plan_steps(&steps, session->env, plan->row.phase, err);

	for (size_t i = 0; i < steps.count; i++)
		done += done_before(session, plan, &steps, i) && i == done;
	say_damage(session, plan);
	rc = rc ? rc : recall(session, plan, &steps, &done, evidence, err);
	for (size_t i = 0; i < steps.count && !rc; i++) {
		if (i >= done && loop_stop_count(session->stop))
			rc = err_set(err, ERR_STOPPED, "stopped %s, as asked",
				     i ? "between two playbooks" : "before the rollout");
		if (!rc && i >= done)
			rc = rollout_one(session, plan, &steps, i, evidence, err);
		rc = rc ? rc : watch(session, plan, &steps, i, evidence, err);
	}
	if (!rc && steps.count && loop_stop_count(session->stop))
		rc = err_set(err, ERR_STOPPED,
			     "stopped behind the rollout, as asked: whether it "
			     "holds is not looked at yet");
	if (rc == ERR_STOPPED)
		step_say_unfinished(plan, err);
	plan_steps_release(&steps);
	return rc;
}

/* The first that blocks, with all of whom the same is said. */
static void say_first(const struct plan *plan, const struct findings *findings, struct err *err)
{
	size_t count = findings_count(findings, SEVERITY_BLOCK), i = 0;
	struct finding_groups groups;
	char names[NAMES_SIZE];

	if (findings_group(&groups, findings, err))
		return;
	while (i < groups.count &&
	       (groups.items[i].first->severity != SEVERITY_BLOCK || groups.items[i].first->waived))
		i++;
	if (i < groups.count) {
		strs_join(&groups.items[i].subjects, NAMES_SHOWN, names, sizeof(names));
		err_set(err, ERR_FAIL,
			"%s is rolled out, but does not hold (%zu finding%s): %s: %s",
			phase_name(plan->row.phase), count, count == 1 ? "" : "s", names,
			groups.items[i].first->reason);
	}
	findings_group_release(&groups);
}

static int differs(const struct plan *plan, const struct findings *findings, struct err *err)
{
	say_first(plan, findings, err);
	return err_hint(err,
			"the phase is unfinished: mend it and type 'certrotate %s' again, or "
			"turn round with 'certrotate %s'",
			direction_verb(plan->row.direction),
			direction_verb(plan->row.direction == DIRECTION_BACK ? DIRECTION_FORWARD
									     : DIRECTION_BACK));
}

/* The figures of the look before a phase are what the look after it compares with. */
static int look(struct session *session, const struct plan *plan, bool before,
		struct verify_input *input, struct verify_result *result, struct err *err)
{
	char *path = path_join(session->local_dir, BASELINE_FILE);
	char *key = baseline_key(plan->rotation, phase_name(plan->row.phase),
				 direction_name(plan->row.direction));
	struct baseline figures = BASELINE_INIT;
	int rc = path && key ? 0 : err_nomem(err);

	if (!rc && !before)
		rc = baseline_load(&figures, path, key, err);
	input->before = figures.count ? &figures : NULL;
	rc = rc ? rc : verify_run(result, session, input, err);
	if (!rc && before)
		rc = baseline_write(path, key, result->evidence, err);
	input->before = NULL;
	baseline_release(&figures);
	free(path);
	free(key);
	return rc;
}

int step_verify(struct session *session, struct plan *plan, const struct json *rollout,
		const struct strs *skip, struct verify_result *result, struct err *err)
{
	bool before = !rollout;
	struct verify_input input = {.target = before ? &plan->from : &plan->to,
				     .old_gen = plan->has_old ? &plan->old_gen : NULL,
				     .new_gen = plan->has_new ? &plan->new_gen : NULL,
				     .skip = skip,
				     .patience_ms = before ? 0 : PATIENCE_MS};
	int rc;

	rc = look(session, plan, before, &input, result, err);
	if (!rc && !before)
		rc = verify_hosts(result, session, &input, phase_name(plan->row.phase), err);
	if (!rc && !before)
		rc = reached_judge(result, session, plan, rollout, err);
	findings_sort(&result->findings);
	if (!rc)
		plan_waive(plan, &result->findings, !before);
	for (size_t i = 0; i < result->findings.count && !rc; i++) {
		const struct finding *finding = &result->findings.items[i];

		rc = findings_add(&plan->findings, finding->check, finding->severity,
				  finding->subject, finding->advice, err, "%s", finding->reason);
		if (!rc)
			plan->findings.items[plan->findings.count - 1].waived = finding->waived;
	}
	if (!rc && !before && findings_count(&result->findings, SEVERITY_BLOCK))
		rc = differs(plan, &result->findings, err);
	return rc;
}

static int catch_up_host(struct session *session, const char *host, struct err *err)
{
	struct strs only = STRS_INIT;
	struct run run = {
		.phase = session->store.phase == PHASE__MAX ? "" : phase_name(session->store.phase),
		.direction = "forward",
		.only = &only,
		.log_name = "catch-up"};
	struct plan_steps steps = {0};
	int rc = strs_add(&only, host, err);

	log_line(session->log, LOG_INFO, "%s was left behind: it is brought up to date first",
		 host);
	/* Hours may lie between the look and the answer to the question. */
	rc = rc ? rc : step_unmoved(session, err);
	if (rc) {
		strs_release(&only);
		return rc;
	}
	rc = plan_steps(&steps, session->env, PHASE_EMERGENCY, err);
	for (size_t i = 0; i < steps.count && !rc; i++)
		rc = run_step(session, steps.items[i], &run, i, NULL, err);
	if (!rc && !run.reached)
		rc = err_set(err, ERR_FAIL, "none of the playbooks rolls out to it");
	plan_steps_release(&steps);
	strs_release(&only);
	if (!rc)
		return 0;
	err->code = rc == ERR_STOPPED ? rc : ERR_GATE;
	err_prefix(err, "%s is still behind", host);
	err_hint(err, "bring it up, or leave it out once more: --waive 'hosts=%s:REASON'", host);
	return err->code;
}

int step_catch_up(struct session *session, const struct plan *plan, bool *any, struct err *err)
{
	struct strs behind = STRS_INIT; /* the state is read anew on the way */
	int rc;

	*any = false;
	/* An emergency brings everything to everybody anyway, and has no time to lose. */
	if (!phase_rolls_out(plan->row.phase) || plan->row.phase == PHASE_EMERGENCY)
		return 0;
	rc = strs_copy(&behind, &session->store.behind, err);
	for (size_t i = 0; i < behind.count && !rc; i++) {
		if (strs_has(&plan->skip, behind.items[i]))
			continue;
		*any = true;
		rc = catch_up_host(session, behind.items[i], err);
	}
	strs_release(&behind);
	return rc;
}
