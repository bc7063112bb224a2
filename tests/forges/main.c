/* SPDX-License-Identifier: PostgreSQL */
/*
 * One call of a forge, for tests/integration/forges.sh:
 *
 *   forges KIND ADDRESS CA_FILE find|get|open|update|close|comment
 *
 * The token is in the variable FORGES_TOKEN. Prints "NUMBER STATE" where there is one, or the
 * error.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "outside/forge.h"

#define BRANCH "certrotate/poc-trust-r7"
#define BASE   "dev"
#define HEAD   "0123456789abcdef0123456789abcdef01234567"
#define TEXT   "<!-- certrotate a/trust/forward -->\n**What changes**\n\n- `certs.yml`\n"

static int call(struct forge *forge, const char *what, struct err *err)
{
	struct merge_request request = {.state = MERGE_STATE__MAX};
	int rc = 0;

	if (!strcmp(what, "find"))
		rc = forge_find(&request, forge, BRANCH, BASE, HEAD, err);
	else if (!strcmp(what, "get"))
		rc = forge_get(&request, forge, 17, err);
	else if (!strcmp(what, "open"))
		rc = forge_open(&request, forge, BRANCH, BASE, "certrotate poc: trust", TEXT, err);
	else if (!strcmp(what, "update"))
		rc = forge_update(forge, 17, "certrotate poc: trust", TEXT, err);
	else if (!strcmp(what, "close"))
		rc = forge_close(forge, 17, err);
	else if (!strcmp(what, "comment"))
		rc = forge_comment(NULL, forge, 17, "<!-- certrotate a/b -->", TEXT, err);
	else
		rc = err_set(err, ERR_USAGE, "'%s' is no call", what);
	if (!rc && request.number)
		(void)printf("%lld %s\n", (long long)request.number,
			     merge_state_name(request.state));
	merge_request_release(&request);
	return rc;
}

static int run(char **argv, struct err *err)
{
	char variable[] = "FORGES_TOKEN", project[] = "dba/inventory";
	struct forge_config config = {
		.kind = FORGE__MAX, .url = argv[2], .project = project, .token_env = variable};
	struct forge_place place = {.kind = FORGE__MAX};
	struct arena *arena = arena_new((size_t)1 << 20);
	struct forge forge = {.place = &place};
	struct sys sys;
	struct http_options options = {.sys = &sys, .ca_file = argv[3]};
	char *origin = NULL;
	int rc;

	sys_init(&sys);
	for (int i = 0; i < FORGE__MAX; i++) {
		if (!strcmp(forge_kind_name((enum forge_kind)i), argv[1]))
			config.kind = (enum forge_kind)i;
	}
	rc = arena ? forge_place_find(&place, &config, "", err) : err_nomem(err);
	rc = rc ? rc : forge_place_check(&place, "origin", err);
	rc = rc ? rc
		: forge_token(&forge.token, &origin, arena, &config, "/", &sys, NULL, NULL, err);
	rc = rc ? rc : http_new(&forge.http, &options, err);
	forge.token_origin = origin;
	rc = rc ? rc : call(&forge, argv[4], err);
	http_free(forge.http);
	forge_place_release(&place);
	free(origin);
	arena_free(arena);
	return rc;
}

int main(int argc, char **argv)
{
	struct err err = {0};

	if (argc != 5) {
		(void)fprintf(stderr, "usage: forges KIND ADDRESS CA_FILE CALL\n");
		return 2;
	}
	if (!run(argv, &err))
		return 0;
	(void)fprintf(stderr, "forges: %s\nHINT: %s\n", err.msg, err.hint);
	return err_exit_code(err.code);
}
