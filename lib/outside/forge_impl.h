/* SPDX-License-Identifier: PostgreSQL */
/* What the files of forge.h share. */
#ifndef OUTSIDE_FORGE_IMPL_H
#define OUTSIDE_FORGE_IMPL_H

#include "base/json.h"
#include "outside/forge.h"
#include "outside/forge_table.h"

struct forge_call {
	const char *method;
	const char *path; /* of the table */
	const char *branch, *base;
	int64_t number;
	unsigned page;
	const struct json *body; /* NULL: none */
};

/*
 * 0 with the parsed answer to a 2xx (js_free it). Otherwise the error; *status is that of the
 * answer, 0 where there was none; *sent (may be NULL) says whether it may have been acted upon.
 */
int forge_call(struct json **answer, int *status, bool *sent, struct forge *forge,
	       const struct forge_call *call, struct err *err);

/* The field at a path of the table ("head.sha"); NULL where it is not there, or null. */
const struct json *forge_field(const struct json *object, const char *path);
/* "" where it is no text. */
const char *forge_text(const struct json *object, const char *path);
/* ERR_FAIL where it has no number, state or page. */
int forge_read(struct merge_request *out, const struct forge_form *form, const struct json *object,
	       struct err *err);
/* Whether it is one from branch to base within one project. */
bool forge_matches(const struct forge_form *form, const struct json *object, const char *branch,
		   const char *base);

#endif
