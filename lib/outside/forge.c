/* SPDX-License-Identifier: PostgreSQL */
#include "outside/forge.h"

#include <stdlib.h>
#include <string.h>

#include "base/strs.h"
#include "outside/forge_impl.h"

static const struct forge_form *form_of(const struct forge *forge)
{
	return forge_form(forge->place->kind);
}

const char *forge_name(const struct forge *forge)
{
	return form_of(forge)->name;
}

const char *forge_thing(const struct forge *forge)
{
	return form_of(forge)->thing;
}

/* A list; one thing alone counts as a list of it: GitLab's own description has some that way. */
static size_t count_of(const struct json *answer)
{
	if (js_is_array(answer))
		return js_count(answer);
	return js_is_object(answer) ? 1 : 0;
}

static const struct json *item_of(const struct json *answer, size_t i)
{
	return js_is_array(answer) ? js_at(answer, i) : answer;
}

/* The open one goes before every other; of those with that tip the newest. */
static int take_better(struct merge_request *best, const struct forge_form *form,
		       const struct json *object, const char *head, struct err *err)
{
	struct merge_request now;
	int rc = forge_read(&now, form, object, err);
	bool better;

	if (rc)
		return rc;
	better = now.state == MERGE_OPEN || !head || !strcmp(now.head, head);
	if (best->number && better)
		better = best->state == MERGE_OPEN
				 ? now.state == MERGE_OPEN && now.number > best->number
				 : now.state == MERGE_OPEN || now.number > best->number;
	if (better) {
		merge_request_release(best);
		*best = now;
	} else {
		merge_request_release(&now);
	}
	return 0;
}

int forge_find(struct merge_request *out, struct forge *forge, const char *branch, const char *base,
	       const char *head, struct err *err)
{
	const struct forge_form *form = form_of(forge);
	size_t got = form->page_size;
	int rc = 0, status;

	*out = (struct merge_request){.state = MERGE_STATE__MAX};
	for (unsigned page = 1; page <= form->page_count && got >= form->page_size && !rc; page++) {
		struct forge_call call = {.method = "GET",
					  .path = form->find,
					  .branch = branch,
					  .base = base,
					  .page = page};
		struct json *answer = NULL;

		rc = forge_call(&answer, &status, NULL, forge, &call, err);
		got = count_of(answer);
		for (size_t i = 0; i < got && !rc; i++) {
			const struct json *item = item_of(answer, i);

			if (forge_matches(form, item, branch, base))
				rc = take_better(out, form, item, head, err);
		}
		js_free(answer);
		if (out->number && out->state == MERGE_OPEN)
			break;
	}
	if (rc)
		merge_request_release(out);
	else if (!out->number)
		rc = err_set(err, ERR_NOENT, "%s has no %s from %s to %s", form->name, form->thing,
			     branch, base);
	return rc;
}

int forge_get(struct merge_request *out, struct forge *forge, int64_t number, struct err *err)
{
	const struct forge_form *form = form_of(forge);
	struct forge_call call = {.method = "GET", .path = form->one, .number = number};
	struct json *answer = NULL;
	int status, rc = forge_call(&answer, &status, NULL, forge, &call, err);

	*out = (struct merge_request){.state = MERGE_STATE__MAX};
	if (rc && status == 404)
		rc = err_blame(err, rc, ERR_NOENT);
	rc = rc ? rc : forge_read(out, form, answer, err);
	js_free(answer);
	return rc;
}

int forge_open(struct merge_request *out, struct forge *forge, const char *branch, const char *base,
	       const char *title, const char *text, struct err *err)
{
	const struct forge_form *form = form_of(forge);
	struct json *body = js_new_object(), *answer = NULL;
	struct forge_call call = {.method = "POST", .path = form->open, .body = body};
	struct err refused = {0}, other = {0};
	bool sent;
	int status, rc;

	*out = (struct merge_request){.state = MERGE_STATE__MAX};
	(void)js_set_str(body, form->send_source, branch);
	(void)js_set_str(body, form->send_target, base);
	(void)js_set_str(body, "title", title);
	(void)js_set_str(body, form->send_text, text);
	rc = forge_call(&answer, &status, &sent, forge, &call, &refused);
	if (!rc) {
		rc = forge_read(out, form, answer, err);
	} else {
		/* There is one already, or nobody heard the answer: what counts is whether it is
		 * there. */
		if ((status != 409 && status != 422 && !sent) ||
		    forge_find(out, forge, branch, base, NULL, &other))
			out->number = 0;
		else if (out->state != MERGE_OPEN)
			merge_request_release(out);
		if (out->number)
			rc = 0;
		else if (err)
			*err = refused;
	}
	js_free(answer);
	js_free(body);
	return rc;
}

static int change(struct forge *forge, int64_t number, const struct json *body, struct err *err)
{
	const struct forge_form *form = form_of(forge);
	struct forge_call call = {
		.method = form->update_method, .path = form->one, .number = number, .body = body};
	struct json *answer = NULL;
	int status, rc = forge_call(&answer, &status, NULL, forge, &call, err);

	js_free(answer);
	return rc;
}

int forge_update(struct forge *forge, int64_t number, const char *title, const char *text,
		 struct err *err)
{
	struct json *body = js_new_object();
	int rc;

	(void)js_set_str(body, "title", title);
	(void)js_set_str(body, form_of(forge)->send_text, text);
	rc = change(forge, number, body, err);
	js_free(body);
	return rc;
}

int forge_close(struct forge *forge, int64_t number, struct err *err)
{
	struct json *body = js_new_object();
	int rc;

	(void)js_set_str(body, form_of(forge)->close_field, form_of(forge)->close_value);
	rc = change(forge, number, body, err);
	js_free(body);
	return rc;
}

static int has_comment(bool *found, struct forge *forge, int64_t number, const char *marker,
		       struct err *err)
{
	const struct forge_form *form = form_of(forge);
	unsigned pages = strstr(form->comments, "%i") ? (unsigned)form->page_count : 1;
	size_t got = form->page_size;
	int rc = 0, status;

	*found = false;
	for (unsigned page = 1; page <= pages && got >= form->page_size && !rc && !*found; page++) {
		struct forge_call call = {
			.method = "GET", .path = form->comments, .number = number, .page = page};
		struct json *answer = NULL;

		rc = forge_call(&answer, &status, NULL, forge, &call, err);
		got = count_of(answer);
		for (size_t i = 0; i < got && !rc && !*found; i++)
			*found = strstr(forge_text(item_of(answer, i), "body"), marker) != NULL;
		js_free(answer);
	}
	return rc;
}

int forge_comment(bool *added, struct forge *forge, int64_t number, const char *marker,
		  const char *text, struct err *err)
{
	struct json *body = js_new_object(), *answer = NULL;
	struct forge_call call = {.method = "POST",
				  .path = form_of(forge)->add_comment,
				  .number = number,
				  .body = body};
	char *whole = str_fmt("%s\n%s", marker, text);
	struct err refused = {0};
	bool found = false, sent;
	int status, rc = whole ? has_comment(&found, forge, number, marker, err) : err_nomem(err);

	if (added)
		*added = !rc && !found;
	if (!rc && !found) {
		(void)js_set_str(body, "body", whole);
		rc = forge_call(&answer, &status, &sent, forge, &call, &refused);
		if (rc && sent && !has_comment(&found, forge, number, marker, NULL) && found)
			rc = 0;
		else if (rc && err)
			*err = refused;
	}
	free(whole);
	js_free(answer);
	js_free(body);
	return rc;
}
