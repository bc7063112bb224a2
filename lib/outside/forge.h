/* SPDX-License-Identifier: PostgreSQL */
/*
 * Merge requests of GitLab, GitHub (and GitHub Enterprise), Forgejo and Gitea. In what they differ
 * is data (forge_table.h). What is asked is asked again as net/http.h does; what creates something
 * is sent once, and where its answer is lost the thing is looked for.
 *
 * Answers are input from elsewhere: bounded, texts made harmless before they are given out, and a
 * field of another type is as if it were missing. The token is in one header alone; no message
 * shows it, whatever is answered.
 */
#ifndef OUTSIDE_FORGE_H
#define OUTSIDE_FORGE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "net/http.h"
#include "outside/forge_place.h"
#include "secret/arena.h"

#define FORGE_BODY_MAX	  ((size_t)8 << 20) /* of an answer */
#define FORGE_DEADLINE_MS 20000		    /* of one try */

enum merge_state { MERGE_OPEN, MERGE_MERGED, MERGE_CLOSED, MERGE_STATE__MAX };

struct merge_request {
	int64_t number;
	char *name;  /* "!17" or "#17" */
	char *url;   /* its page */
	char *title; /* title and text as they are there, not made harmless */
	char *text;
	enum merge_state state;
	bool draft;
	char *head;   /* the commit at the branch's tip, in hex; "" where not said */
	char *merged; /* the merge commit; "" where there is none, or it is not said */
};

void merge_request_release(struct merge_request *request);
const char *merge_state_name(enum merge_state state); /* "open", "merged", "closed" */
enum merge_state merge_state_parse(const char *name); /* MERGE_STATE__MAX for another word */

/* All is borrowed as long as it is used. */
struct forge {
	struct http *http;
	const struct forge_place *place; /* checked: forge_place_check */
	struct secret token;
	const char *token_origin; /* for messages: "the file /home/dba/.token" */
	int64_t patience_ms;	  /* of a call with its tries; 0: HTTP_RETRY_ALL_MS */
};

/* Whether config says where a token is. */
bool forge_has_token(const struct forge_config *config);
/*
 * Reads it. root: the repository, where a token_file that is not absolute lies and a token_command
 * runs, which may ask at the terminal and has 60 s. free() *origin. ERR_USAGE for a file that
 * others can read, or is not there, an unset variable, an empty token; ERR_FAIL where the command
 * fails, with its last lines; ERR_STOPPED.
 */
int forge_token(struct secret *out, char **origin, struct arena *arena,
		const struct forge_config *config, const char *root, struct sys *sys,
		const struct strs *hidden, struct loop_stop *stop, struct err *err);

/* "GitLab"; and "merge request" or "pull request", as it calls them. */
const char *forge_name(const struct forge *forge);
const char *forge_thing(const struct forge *forge);

/*
 * The one from branch to base within the project (not from a fork): the open one, else the newest
 * whose tip was head (NULL: whatever it was). ERR_NOENT where there is none. ERR_FAIL with the
 * forge's words and what to do, as for all that follow.
 */
int forge_find(struct merge_request *out, struct forge *forge, const char *branch, const char *base,
	       const char *head, struct err *err);
/* ERR_NOENT where there is none of that number, or the token may not see it. */
int forge_get(struct merge_request *out, struct forge *forge, int64_t number, struct err *err);
/*
 * Opens one. Where there is an open one already, or the answer was lost and it is there, that one
 * is given.
 */
int forge_open(struct merge_request *out, struct forge *forge, const char *branch, const char *base,
	       const char *title, const char *text, struct err *err);
int forge_update(struct forge *forge, int64_t number, const char *title, const char *text,
		 struct err *err);
int forge_close(struct forge *forge, int64_t number, struct err *err);
/*
 * Adds a comment that begins with marker (a hidden HTML comment), but where one that holds the
 * marker is there already. *added (may be NULL) says which.
 */
int forge_comment(bool *added, struct forge *forge, int64_t number, const char *marker,
		  const char *text, struct err *err);

#endif
