/* SPDX-License-Identifier: PostgreSQL */
#include <string.h>

#include "cmd/commands.h"
#include "cmd/context.h"
#include "state/runner.h"

#define NAMES_SHOWN 6

/* What did not hold everywhere, and was waived: "2 of 3 endpoints answer with TLS; not: db3" */
static void print_check(struct ui *ui, const struct json *check)
{
	long long asked = js_int(check, "asked", 0), held = js_int(check, "held", 0);
	const struct json *stragglers = js_get(check, "stragglers");
	struct buf names;

	if (held == asked)
		return;
	buf_init(&names, BUF_TEXT_MAX);
	for (size_t i = 0; i < js_count(stragglers) && i < NAMES_SHOWN; i++)
		buf_addf(&names, "%s%s", i ? ", " : "", js_string_value(js_at(stragglers, i)));
	if (js_count(stragglers) > NAMES_SHOWN)
		buf_addf(&names, " and %zu more", js_count(stragglers) - NAMES_SHOWN);
	ui_prose(ui, 4, "  %lld of %lld endpoints %s; not: %s\n", held, asked,
		 js_str(check, "expected", "?"), names.data);
	buf_release(&names);
}

/* "hook reload of billing (wave 1): ended, exit code 0, 0.3 s" */
static void print_hook(struct ui *ui, const struct json *hook)
{
	bool back = !strcmp(js_str(hook, "direction", ""), "back");
	const char *by = js_str(hook, "by", ""), *error = js_str(hook, "error", "");

	ui_out(ui, "  hook %s of %s (wave %lld)%s: %s", js_str(hook, "hook", "?"),
	       js_str(hook, "application", "?"), (long long)js_int(hook, "wave", 0),
	       back ? ", taken back" : "", js_str(hook, "outcome", "?"));
	if (js_get(hook, "status"))
		ui_out(ui, ", answered %lld", (long long)js_int(hook, "status", 0));
	if (by[0])
		ui_out(ui, ", confirmed by %s", by);
	if (js_get(hook, "ms"))
		ui_out(ui, ", %.1f s", (double)js_int(hook, "ms", 0) / 1000.0);
	ui_out(ui, "%s%s\n", error[0] ? ": " : "", error);
}

static void print_hooks(struct ui *ui, const struct json *entry)
{
	const struct json *hooks = js_get(entry, "hooks"), *waves = js_get(entry, "waves");
	size_t count = store_list_count(entry, "hooks");

	if (!ui->verbose && count)
		ui_out(ui, "  hooks: %zu\n", count);
	for (size_t i = 0; i < js_count(hooks) && ui->verbose; i++)
		print_hook(ui, js_at(hooks, i));
	for (const char *name = js_first_key(waves); name; name = js_next_key(waves, name))
		ui_out(ui, "  wave %s seen switched at %s\n", name,
		       js_str(js_get(waves, name), "seen", "?"));
}

static void print_entry(struct ui *ui, const struct json *entry)
{
	const struct json *probes = js_get(entry, "probes");
	const struct json *waivers = js_get(entry, "waivers");
	const struct json *acks = js_get(entry, "acks");
	const struct json *rollout = js_get(entry, "rollout");

	ui_out(ui, "%s%s%s %s %s, by %s\n", ui_color(ui, UI_BOLD), js_str(entry, "at", "?"),
	       ui_color(ui, UI_PLAIN), js_str(entry, "phase", "?"), js_str(entry, "outcome", "?"),
	       js_str(entry, "by", "?"));
	ui_out(ui, "  from %s to %s, rotation %s, commit %.12s\n", js_str(entry, "from", "?"),
	       js_str(entry, "to", "?"), js_str(entry, "rotation", "?"),
	       js_str(entry, "commit", "?"));
	if (js_str(entry, "reason", NULL))
		ui_out(ui, "  reason: %s\n", js_str(entry, "reason", ""));
	for (size_t i = 0; i < js_count(rollout); i++) {
		const struct json *run = js_at(rollout, i);

		size_t hosts = store_list_count(run, "hosts");

		ui_out(ui, "  ran %s: %zu host%s, %lld changed, %.1f s\n",
		       js_str(run, "playbook", "?"), hosts, hosts == 1 ? "" : "s",
		       (long long)js_int(run, "changed", 0), (double)js_int(run, "ms", 0) / 1000.0);
	}
	print_hooks(ui, entry);
	if (js_is_object(probes))
		ui_out(ui, "  endpoints looked at: %zu, logins: %zu\n",
		       store_list_count(probes, "leaves"), store_list_count(probes, "logins"));
	for (size_t i = 0; i < js_count(js_get(probes, "checks")); i++)
		print_check(ui, js_at(js_get(probes, "checks"), i));
	for (size_t i = 0; i < js_count(acks); i++) {
		const struct json *ack = js_at(acks, i);
		const char *who = js_str(ack, "who", "");

		ui_out(ui, "  confirmed by %s for %s%s%s (%s, %s)\n", js_str(ack, "app", "?"),
		       js_str(ack, "phase", "?"), who[0] ? ": " : "", who, js_str(ack, "by", "?"),
		       js_str(ack, "at", "?"));
	}
	for (size_t i = 0; i < js_count(waivers); i++) {
		const struct json *waiver = js_at(waivers, i);

		ui_out(ui, "  waived %s %s: %s (%s)\n", js_str(waiver, "gate", "?"),
		       js_str(waiver, "subject", ""), js_str(waiver, "reason", ""),
		       js_str(waiver, "by", "?"));
	}
}

int cmd_log(const struct options *options, struct ui *ui, struct err *err)
{
	struct context context;
	struct session session;
	int rc = context_init(&context, options, ui, err);

	if (rc)
		return rc;
	rc = session_open(&session, &context.session, err);
	if (!rc) {
		rc = session_load(&session, err);
		if (!rc && options->json) {
			struct json *root = js_new_object();

			(void)js_set_int(root, "version", 1);
			(void)js_set_str(root, "environment", session.env->name);
			(void)js_set(root, "history", js_copy(session.store.history));
			rc = ui_json(ui, root, err);
		} else if (!rc) {
			for (size_t i = js_count(session.store.history); i > 0; i--)
				print_entry(ui, js_at(session.store.history, i - 1));
			if (!js_count(session.store.history))
				ui_out(ui, "nothing was done in %s yet\n", session.env->name);
		}
		session_close(&session);
	}
	context_release(&context);
	return rc;
}
