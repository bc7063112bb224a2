/* SPDX-License-Identifier: PostgreSQL */
/* What a forge says about a merge request. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strs.h"
#include "outside/forge_impl.h"

#define URL_MAX	  ((size_t)1000)
#define TITLE_MAX ((size_t)4000)

const char *merge_state_name(enum merge_state state)
{
	static const char *const names[MERGE_STATE__MAX] = {
		[MERGE_OPEN] = "open", [MERGE_MERGED] = "merged", [MERGE_CLOSED] = "closed"};

	return state < MERGE_STATE__MAX ? names[state] : "";
}

enum merge_state merge_state_parse(const char *name)
{
	for (int i = 0; i < MERGE_STATE__MAX; i++) {
		if (!strcmp(merge_state_name((enum merge_state)i), name))
			return (enum merge_state)i;
	}
	return MERGE_STATE__MAX;
}

void merge_request_release(struct merge_request *request)
{
	free(request->name);
	free(request->url);
	free(request->title);
	free(request->text);
	free(request->head);
	free(request->merged);
	*request = (struct merge_request){.state = MERGE_STATE__MAX};
}

const struct json *forge_field(const struct json *object, const char *path)
{
	char name[32];

	for (;;) {
		size_t len = strcspn(path, ".");

		(void)snprintf(name, sizeof(name), "%.*s", (int)len, path);
		object = js_get(object, name);
		if (!path[len] || !object)
			return js_is_null(object) ? NULL : object;
		path += len + 1;
	}
}

const char *forge_text(const struct json *object, const char *path)
{
	const char *text = js_string_value(forge_field(object, path));

	return text ? text : "";
}

bool forge_matches(const struct forge_form *form, const struct json *object, const char *branch,
		   const char *base)
{
	return !strcmp(forge_text(object, form->source), branch) &&
	       !strcmp(forge_text(object, form->target), base) &&
	       js_int_value(forge_field(object, form->source_home)) ==
		       js_int_value(forge_field(object, form->target_home));
}

/* A hash, or nothing: it goes into messages as it is. */
static const char *hash_of(const char *text)
{
	size_t len = strspn(text, "0123456789abcdef");

	return !text[len] && len <= 64 ? text : "";
}

/* Harmless on a terminal, and an address of the web: else it is not shown at all. */
static char *page_of(const char *text)
{
	for (const char *at = text; *at; at++) {
		if (*at <= 0x20 || *at >= 0x7f)
			return strdup("");
	}
	if ((!str_starts(text, "https://") && !str_starts(text, "http://")) ||
	    strlen(text) > URL_MAX)
		return strdup("");
	return strdup(text);
}

static enum merge_state state_of(const struct forge_form *form, const struct json *object)
{
	const char *word = forge_text(object, form->state);

	if (form->merged_word ? !strcmp(word, form->merged_word)
			      : forge_field(object, form->merged_field) != NULL)
		return MERGE_MERGED;
	/* GitLab locks one while it merges it. */
	if (!strcmp(word, form->open_word) || !strcmp(word, "locked"))
		return MERGE_OPEN;
	return !strcmp(word, "closed") ? MERGE_CLOSED : MERGE_STATE__MAX;
}

int forge_read(struct merge_request *out, const struct forge_form *form, const struct json *object,
	       struct err *err)
{
	const struct json *draft = forge_field(object, form->draft);

	*out = (struct merge_request){.number = js_int_value(forge_field(object, form->number)),
				      .state = state_of(form, object)};
	if (out->number <= 0 || out->state == MERGE_STATE__MAX) {
		err_set(err, ERR_FAIL, "%s answered with something that is no %s", form->name,
			form->thing);
		return err_hint(err, "is git.forge.kind the right one, and is nothing in between "
				     "that changes answers?");
	}
	out->draft = draft && js_bool(object, form->draft, false);
	out->name = str_fmt("%s%lld", form->mark, (long long)out->number);
	out->url = page_of(forge_text(object, form->web));
	out->title = strndup(forge_text(object, "title"), TITLE_MAX);
	out->text = strdup(forge_text(object, form->text));
	out->head = strdup(hash_of(forge_text(object, form->head)));
	out->merged = strdup(
		out->state == MERGE_MERGED ? hash_of(forge_text(object, form->merge_commit)) : "");
	if (out->name && out->url && out->title && out->text && out->head && out->merged)
		return 0;
	merge_request_release(out);
	return err_nomem(err);
}
