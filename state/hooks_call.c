/* SPDX-License-Identifier: PostgreSQL */
/* What a hook that runs is given, by its kind: see hooks.h and certrotate.yml(5). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "outside/exec_hook.h"
#include "proc/scratch.h"
#include "state/deliver.h"
#include "state/gates.h"
#include "state/hooks_impl.h"
#include "state/play.h"
#include "state/receiver.h"

/* The application's files in a private folder that goes with the hook. */
struct given {
	struct scratch scratch;
	struct delivered delivered;
	bool written;
};

static int give(struct given *given, const struct hook_call *call, struct err *err)
{
	const struct hooks_run *run = call->run;
	const struct plan *plan = run->plan;
	struct deliver_options options = {.phase = plan->row.phase,
					  .direction = run->direction,
					  .old_gen = plan->has_old ? &plan->old_gen : NULL,
					  .new_gen = plan->has_new ? &plan->new_gen : NULL};
	char *folder;
	int rc = scratch_make(&given->scratch, err);

	if (rc)
		return rc;
	if (!given->scratch.memory)
		log_line(
			run->session->log, LOG_WARNING,
			"no memory file system (/dev/shm) here: the files of application %s are in "
			"%s until the hook ends",
			call->item->app->name, given->scratch.path);
	folder = path_join(given->scratch.path, "files");
	rc = folder ? deliver_write(&given->delivered, run->session, call->item->app, folder,
				    &options, err)
		    : err_nomem(err);
	given->written = !rc;
	free(folder);
	/* A gate of its own would be said to be waited for: here it is a failure. */
	return rc == ERR_GATE ? err->code = ERR_FAIL : rc;
}

static void take_away(struct given *given)
{
	secret_wipe(&given->delivered.passphrase);
	if (given->written)
		delivered_release(&given->delivered);
	scratch_remove(&given->scratch);
}

/* "NAME=FOLDER/PATH" for the first file of that kind. */
static int add_file(struct strs *out, const struct delivery_files *files, enum delivery_kind kind,
		    const char *name, struct err *err)
{
	const struct delivery_file *file = delivery_find(files, kind, NULL);

	return file ? strs_addf(out, err, "%s=%s/%s", name, files->folder, file->path) : 0;
}

/* Those of its users who have a certificate here. */
static int users_of(struct strs *out, const struct hook_call *call, struct err *err)
{
	const struct generation *gen = hooks_generation(call->run->plan);
	const struct strs *users = &call->item->app->users;
	int rc = 0;

	for (size_t i = 0; i < users->count && !rc; i++) {
		if (gates_has_client(gen, users->items[i]))
			rc = strs_add(out, users->items[i], err);
	}
	return rc;
}

static int environment(struct strs *out, const struct hook_call *call,
		       const struct delivery_files *files, struct err *err)
{
	const struct hooks_run *run = call->run;
	struct strs users = STRS_INIT;
	struct buf names;
	int rc = users_of(&users, call, err);

	buf_init(&names, BUF_TEXT_MAX);
	for (size_t i = 0; i < users.count; i++)
		buf_addf(&names, "%s%s", i ? "\n" : "", users.items[i]);
	rc = rc ? rc : buf_check(&names, "the list of users", err);
	rc = rc ? rc : strs_addf(out, err, "CERTROTATE_ENVIRONMENT=%s", run->session->env->name);
	rc = rc ? rc : strs_addf(out, err, "CERTROTATE_PHASE=%s", phase_name(run->plan->row.phase));
	rc = rc ? rc
		: strs_addf(out, err, "CERTROTATE_DIRECTION=%s", direction_name(run->direction));
	rc = rc ? rc : strs_addf(out, err, "CERTROTATE_APPLICATION=%s", call->item->app->name);
	rc = rc ? rc : strs_addf(out, err, "CERTROTATE_ROTATION=%s", run->plan->rotation);
	rc = rc ? rc : strs_addf(out, err, "CERTROTATE_KEY=%s", call->id);
	rc = rc ? rc : strs_addf(out, err, "CERTROTATE_USERS=%s", names.data ? names.data : "");
	rc = rc ? rc : strs_addf(out, err, "CERTROTATE_FILES=%s", files->folder);
	rc = rc ? rc : add_file(out, files, DELIVERY_LIST, "CERTROTATE_LIST", err);
	rc = rc ? rc : add_file(out, files, DELIVERY_BUNDLE, "CERTROTATE_BUNDLE", err);
	rc = rc ? rc : add_file(out, files, DELIVERY_TRUSTSTORE, "CERTROTATE_TRUSTSTORE", err);
	rc = rc ? rc : add_file(out, files, DELIVERY_CERTIFICATE, "CERTROTATE_CERTIFICATE", err);
	rc = rc ? rc : add_file(out, files, DELIVERY_KEYSTORE, "CERTROTATE_KEYSTORE", err);
	buf_release(&names);
	strs_release(&users);
	return rc;
}

/* The passphrase of the keys in one line: an argument or the environment could be read by others.
 */
static int input_of(struct secret *out, struct arena *arena, const struct secret *passphrase,
		    struct err *err)
{
	*out = (struct secret){.data = NULL};
	if (!passphrase->data)
		return 0;
	out->data = arena_alloc(arena, passphrase->len + 2);
	if (!out->data)
		return err_nomem(err);
	memcpy(out->data, passphrase->data, passphrase->len);
	out->data[passphrase->len] = '\n';
	out->len = passphrase->len + 1;
	return 0;
}

int hooks_call_exec(struct hook_call *call, struct err *err)
{
	struct session *session = call->run->session;
	const struct hook *hook = call->item->hook;
	struct given given = {.written = false};
	struct exec_hook_result result = {0};
	struct secret input = {.data = NULL};
	struct strs env = STRS_INIT;
	char *program = NULL;
	int rc = exec_hook_find(&program, hook->command.items[0], repo_root(session->repo), err);

	rc = rc ? rc : give(&given, call, err);
	rc = rc ? rc : environment(&env, call, &given.delivered.files, err);
	rc = rc ? rc : input_of(&input, session->arena, &given.delivered.passphrase, err);
	if (!rc) {
		struct exec_hook spec = {.program = program,
					 .command = &hook->command,
					 .directory = repo_root(session->repo),
					 .env = &env,
					 .hidden = &session->config->secret_variables,
					 .input = input.data,
					 .input_len = input.len,
					 .secret = given.delivered.passphrase,
					 .deadline_s = hook->deadline,
					 .removes = given.scratch.path,
					 .log_path = call->log_path,
					 .log = session->log,
					 .sys = session->sys,
					 .stop = session->stop};

		rc = exec_hook_run(&result, &spec, err);
		(void)js_set_int(call->record, "exit", result.code);
		(void)js_set_int(call->record, "ms", result.ms);
	}
	secret_wipe(&input);
	take_away(&given);
	strs_release(&env);
	free(program);
	return rc;
}

static int variables(struct strs *out, const struct hook_call *call,
		     const struct delivery_files *files, struct err *err)
{
	int rc = strs_addf(out, err, "certrotate_application=%s", call->item->app->name);

	rc = rc ? rc : strs_addf(out, err, "certrotate_files=%s", files->folder);
	rc = rc ? rc : strs_addf(out, err, "certrotate_key=%s", call->id);
	return rc ? rc : strs_addf(out, err, "certrotate_rotation=%s", call->run->plan->rotation);
}

/* Its playbook has the vault, as every playbook: the passphrase of the delivered keys stays here.
 */
int hooks_call_ansible(struct hook_call *call, struct err *err)
{
	const struct hooks_run *run = call->run;
	struct given given = {.written = false};
	struct ansible_result result = {.hosts = NULL};
	struct strs vars = STRS_INIT;
	char *name = str_fmt("hook-%s", call->item->app->name);
	int rc = name ? give(&given, call, err) : err_nomem(err);

	for (char *c = name; c && *c; c++)
		*c = *c == '/' ? '-' : *c;
	rc = rc ? rc : variables(&vars, call, &given.delivered.files, err);
	if (!rc) {
		const struct play play = {.step = &call->item->hook->play,
					  .phase = phase_name(run->plan->row.phase),
					  .direction = direction_name(run->direction),
					  .skip = &run->plan->skip,
					  .vars = (const char *const *)vars.items,
					  .title = call->item->app->name,
					  .log_name = name,
					  .finishes = true};

		rc = play_run(&result, run->session, &play, err);
		(void)js_set_int(call->record, "exit", result.exit_code);
		(void)js_set_int(call->record, "hosts", (int64_t)result.count);
		(void)js_set_int(call->record, "ms", result.ms);
	}
	ansible_result_release(&result);
	strs_release(&vars);
	take_away(&given);
	free(name);
	return rc;
}

/* ---- webhooks */

/* What the inventory holds once this hook has done its work. */
static const struct target *target_of(const struct hooks_run *run)
{
	return run->takes_back ? &run->plan->from : &run->plan->to;
}

static struct json *certificate_json(const char *user, const char *authority,
				     const struct gen_leaf *leaf)
{
	struct json *object = js_new_object();
	char until[SYS_TIME_SIZE];

	sys_time_text(cert_not_after(leaf->cert), until);
	(void)js_set_str(object, "user", user);
	(void)js_set_str(object, "authority", authority);
	(void)js_set_str(object, "subject", cert_subject(leaf->cert));
	(void)js_set_str(object, "serial", cert_serial_hex(leaf->cert));
	(void)js_set_str(object, "sha256", cert_fingerprint(leaf->cert));
	(void)js_set_str(object, "not_after", until);
	return object;
}

static struct json *certificates_json(const struct hook_call *call, const struct strs *users)
{
	const struct target *target = target_of(call->run);
	const struct generation *gen = target->old_gen;
	struct json *array = js_new_array();

	for (size_t i = 0; i < users->count && gen; i++) {
		for (size_t a = 0; a < gen->authority_count; a++) {
			const char *authority = gen->authorities[a].name;
			const struct gen_leaf *leaf = target_pick(target, authority,
								  users->items[i]);

			if (leaf && leaf->kind == LEAF_CLIENT)
				(void)js_push(array,
					      certificate_json(users->items[i], authority, leaf));
		}
	}
	return array;
}

static int add_bundle(struct buf *out, const struct target *target, struct err *err)
{
	struct bundle bundle = BUNDLE_INIT;
	int rc = deliver_bundle(&bundle, target, err);

	rc = rc ? rc : bundle_to_pem(out, &bundle, err);
	bundle_release(&bundle);
	return rc;
}

int hooks_body(struct buf *out, const struct hook_call *call, struct err *err)
{
	const struct hooks_run *run = call->run;
	struct json *root = js_new_object(), *names = js_new_array();
	struct strs users = STRS_INIT;
	struct buf bundle;
	int rc = users_of(&users, call, err);

	buf_init(&bundle, BUF_TEXT_MAX);
	for (size_t i = 0; i < users.count; i++)
		(void)js_push_str(names, users.items[i]);
	rc = rc ? rc : add_bundle(&bundle, target_of(run), err);
	(void)js_set_int(root, "version", 1);
	(void)js_set_str(root, "environment", run->session->env->name);
	(void)js_set_str(root, "phase", phase_name(run->plan->row.phase));
	(void)js_set_str(root, "direction", direction_name(run->direction));
	(void)js_set_str(root, "application", call->item->app->name);
	(void)js_set_int(root, "wave", call->item->app->wave);
	(void)js_set_str(root, "rotation", run->plan->rotation);
	(void)js_set_str(root, "key", call->id);
	(void)js_set(root, "users", names);
	(void)js_set(root, "certificates", certificates_json(call, &users));
	(void)js_set_str(root, "bundle", bundle.data ? bundle.data : "");
	rc = rc ? rc : buf_check(&bundle, "bundle", err);
	rc = rc ? rc : js_dump(out, root, false, err);
	js_free(root);
	buf_release(&bundle);
	strs_release(&users);
	return rc;
}

int hooks_call_webhook(struct hook_call *call, struct err *err)
{
	struct session *session = call->run->session;
	struct webhook_result result = {0};
	struct receiver receiver = {.arena = NULL};
	struct http *http = NULL;
	struct buf body;
	int rc = receiver_open(&receiver, session, &call->item->hook->webhook, err);

	buf_init(&body, WEBHOOK_BODY_MAX);
	rc = rc ? rc : hooks_body(&body, call, err);
	if (!rc) {
		const struct http_options options = {
			.sys = session->sys, .stop = session->stop, .ca_file = receiver.ca_file};

		rc = http_new(&http, &options, err);
	}
	if (!rc) {
		const struct webhook webhook = {.target = &receiver.target,
						.key = call->id,
						.body = body.data,
						.body_len = body.len,
						.deadline_ms = call->item->hook->deadline * 1000};

		rc = webhook_post(&result, http, &webhook, err);
		(void)js_set_int(call->record, "status", result.status);
		(void)js_set_int(call->record, "tries", result.tries);
		(void)js_set_int(call->record, "ms", result.ms);
	}
	http_free(http);
	buf_release(&body);
	receiver_release(&receiver);
	return rc;
}
