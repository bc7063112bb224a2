/* SPDX-License-Identifier: PostgreSQL */
/*
 * In what the forges differ, as data: everything else about them is the same code.
 *
 * GitLab: docs.gitlab.com, "Merge requests API" and "Notes API", REST v4. GitHub: docs.github.com,
 * "REST API endpoints for pull requests" and "for issue comments". Forgejo and Gitea: their own
 * description at /swagger.v1.json; what the description leaves open is from Gitea's
 * services/convert/pull.go (a head's "label" stays the branch's name when the branch is gone).
 *
 * In paths: %p the project, encoded as this forge wants it; %o its first part; %h and %b the
 * branches of a merge request; %n its number; %i the number of a page, from 1. Fields of answers
 * are names of members, or of members of members ("head.sha").
 */
#ifndef OUTSIDE_FORGE_TABLE_H
#define OUTSIDE_FORGE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include "inventory/config.h"

struct forge_form {
	const char *name;  /* "GitLab" */
	const char *thing; /* "merge request" */
	const char *mark;  /* what stands before its number: "!" */

	/* Which one it is, and where: one of the words is in the host's name. */
	const char *words[4];
	const char *cloud;     /* the host of the service itself, where its API is elsewhere */
	const char *cloud_api; /* there */
	const char *api;       /* behind the address, on every other host */
	bool project_slashes;  /* a project keeps its slashes in a path */

	/* The page that opens one: %p the project's page. Branches keep their slashes or not. */
	const char *page;
	bool page_slashes;

	/* Who we are. */
	const char *token_header;
	const char *token_prefix; /* before the token in its value */
	const char *accept;
	const char *version_header; /* NULL: none */
	const char *version;
	const char *scopes; /* what the token has to be good for, for messages */

	/* Calls. */
	const char *find; /* those from %h to %b in any state, or more: then find_filters is set */
	const char *open;
	const char *one; /* also where it is changed */
	const char *update_method;
	const char *comments;
	const char *add_comment;
	size_t page_size;  /* a page with fewer is the last */
	size_t page_count; /* where a search ends */

	/* What is sent. */
	const char *send_source, *send_target, *send_text;
	const char *close_field, *close_value;

	/* What is answered. */
	const char *number, *web, *text, *head, *source, *target;
	const char *source_home, *target_home;	     /* equal, or it comes from a fork */
	const char *state, *open_word, *merged_word; /* merged_word NULL: merged_field says so */
	const char *merged_field;		     /* not null where it is merged */
	const char *merge_commit;
	const char *draft; /* true where it is one; NULL: the title begins with a word */
};

/* NULL for FORGE__MAX. */
const struct forge_form *forge_form(enum forge_kind kind);

#endif
