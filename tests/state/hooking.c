/* SPDX-License-Identifier: PostgreSQL */
#include "tests/state/hooking.h"

#include <string.h>

#include "state/survey.h"

/* Says what it was given, and does what the test wants. */
static const char hook[] =
	"#!/bin/sh\n"
	"echo \"$CERTROTATE_PHASE $CERTROTATE_DIRECTION $CERTROTATE_APPLICATION $1\" >>../hooked\n"
	"echo \"$1 $CERTROTATE_KEY\" >>../keys\n"
	"env | grep ^CERTROTATE | sort >../given\n"
	"ls \"$CERTROTATE_FILES\" >../files\n"
	"stat -c %a \"$CERTROTATE_FILES\" >../mode\n"
	"cat >../input\n"
	". ../does\n";

void hooking_setup(void)
{
	scene_setup();
	scene_sh("printf '%%s' '%s' >work/hook && chmod 755 work/hook && echo : >does && : "
		 ">hooked && : >keys",
		 hook);
}

const char *hooked(void)
{
	return scene_says("cat hooked; : >hooked");
}

void hooks_do(const char *script)
{
	scene_sh("cat >does <<'EOS'\n%s\nEOS\n", script);
}

void hooking_fails(struct err *err, enum event event, int code, const char *message)
{
	int rc = scene_run(event, STATE__MAX, err);

	ck_assert_msg(rc == code, "%d, not %d: %s", rc, code, err->msg);
	ck_contains(err->msg, message);
}

int hooking_wave_back(struct err *err, unsigned wave)
{
	const struct run_options options = {.event = EVENT_REVERT, .to = STATE__MAX};

	err_clear(err);
	return runner_revert_wave(&scene_options, wave, &options, err);
}

int hooking_ack(struct err *err, const char *app, bool *known)
{
	enum direction direction;
	enum phase phase;

	err_clear(err);
	return runner_ack(&scene_options, app, "Ann", &phase, &direction, known, err);
}

const char *hooking_state(const char *branch, const char *expression)
{
	return scene_says(
		"git -C origin.git show %s:.certrotate/poc/state.json | "
		"/usr/bin/python3 -c 'import json,sys; d=json.load(sys.stdin); print(%s)'",
		branch, expression);
}

void hooking_is_said(struct err *err, const char *check, const char *subject, const char *part)
{
	struct session session;
	struct survey survey;
	bool found = false;

	ck_ok(session_open(&session, &scene_options, err), err);
	ck_ok(session_load(&session, err), err);
	ck_ok(session_identity(&session, err), err);
	ck_ok(survey_make(&survey, &session, 0, err), err);
	for (size_t i = 0; i < survey.findings.count; i++) {
		const struct finding *finding = &survey.findings.items[i];

		if (strcmp(finding->check, check) != 0 || strcmp(finding->subject, subject) != 0)
			continue;
		found = true;
		ck_contains(finding->reason, part);
		if (!strcmp(check, "hook-waits"))
			ck_assert_str_eq(finding->advice,
					 "shop@example.com does it; 'certrotate ack --app shop "
					 "--by WHO' records it, then 'next' goes on");
	}
	ck_assert_msg(found == (part[0] != '\0'), "%s of %s", check, subject);
	survey_release(&survey);
	session_close(&session);
}
