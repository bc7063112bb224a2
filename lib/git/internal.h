/* SPDX-License-Identifier: PostgreSQL */
/* What the files of this room share; for nobody else. */
#ifndef GIT_INTERNAL_H
#define GIT_INTERNAL_H

#include <git2.h>

#include "git/repo.h"
#include "proc/child.h"

#define GIT_BLOB_MAX  ((size_t)1 << 30)	 /* larger files of a work tree are not ours */
#define GIT_TEXT_MAX  ((size_t)64 << 20) /* lists that the git program prints */
#define GIT_LOCAL_MS  60000		 /* for calls that need no network */
#define GIT_FILE_LINK 0120000

enum answer { ANSWER_NO, ANSWER_YES, ANSWER_ASK }; /* ASK: git has to interpret it */
enum role { ROLE_AUTHOR, ROLE_COMMITTER, ROLE_USER, ROLES };

struct settings {
	bool loaded;
	enum answer sign;      /* commit.gpgSign */
	enum answer line_ends; /* core.autocrlf: anything but NO changes text files */
	char *name[ROLES], *email[ROLES];
};

struct repo {
	git_repository *git;
	struct loop_stop *stop;
	const struct strs *hidden;
	char *root;
	char *common;
	char *dir;
	struct settings settings;
	char *remote, *remote_url; /* that was asked last */
	bool ident_set;
	bool never_ask;
	bool finishes;
};

/*
 * libgit2's reason behind the text; ERR_FAIL. Where a file of an object cannot be opened, read
 * or written libgit2 1.5.1 says that there is no such object or reference: errno is what it met
 * then, and the reason; ERR_MACHINE.
 */
int git_fail(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
#define GIT_DAMAGE_HINT "where 'git fsck' finds the clone damaged, make a new one"
int oid_to_git(git_oid *out, const struct oid *oid, struct err *err);
void oid_from_git(struct oid *out, const git_oid *oid);
/* The short form for messages: "1234567890". */
#define OID_SHORT "%.10s"

int lookup_commit(git_commit **out, struct repo *repo, const struct oid *oid, struct err *err);
int lookup_tree(git_tree **out, struct repo *repo, const struct oid *commit, struct err *err);
/* Whether the objects of a commit that was just built are there: ERR_MACHINE where they are not. */
struct change;
int check_stored(struct repo *repo, const struct oid *commit, const struct change *changes,
		 size_t count, struct err *err);
/* A file that differs between two commits. A mode of 0: not there. */
struct delta {
	const char *path;
	struct oid old, new;
	unsigned old_mode, new_mode;
};

/* Ends the walk with another code than 0. */
typedef int each_delta(void *ctx, const struct delta *delta, struct err *err);
/* Tells each file that differs, in git's order, without rename detection. */
int diff_commits(struct repo *repo, const struct oid *from, const struct oid *to, each_delta *each,
		 void *ctx, struct err *err);

/* A run of "git -C ROOT …". */
struct run {
	const char *const *args; /* behind the program's name and the common options; NULL ends */
	const char *index;	 /* GIT_INDEX_FILE, or NULL */
	const char *const *env;	 /* more of the environment, at most 8, or NULL */
	const void *input;
	size_t input_len;
	struct buf *out;
	struct buf *errors; /* its stderr as a whole, or NULL */
	bool network;	    /* may prompt, has the long deadline, is stopped when asked for */
};

/* 0 where git ran to its end, with whatever exit code. */
int run_git(struct child_result *result, struct repo *repo, const struct run *run, struct err *err);
/* 0 where it ended with exit code 0; else ERR_FAIL "git WHAT: " and its last lines. */
int run_git_ok(struct repo *repo, const struct run *run, const char *what, struct err *err);
/* "git WHAT: its last lines, cleaned" */
int run_fail(struct err *err, const char *what, const struct child_result *result);

/*
 * Lock files of git do not go away with a process that is killed. Before one is taken its path is
 * noted in a file of our own, held by flock(2). What a dead owner noted is removed by the next one,
 * if the lock is as old as the note.
 */
struct guard {
	int fd;
	char *path;
};

#define GUARD_FIELDS 4

/*
 * seconds: how long after the note such a lock may be taken. paths are absolute. fields (may be
 * NULL): GUARD_FIELDS - 1 texts that say what is under way, for guard_recover.
 */
int guard_enter(struct guard *guard, struct repo *repo, const struct strs *paths, int seconds,
		const char *const *fields, struct err *err);
/* Finishes what owners that died in this work tree had under way. */
int guard_recover(struct repo *repo,
		  int (*finish)(struct repo *repo, const char *const *fields, struct err *err),
		  struct err *err);
void guard_leave(struct guard *guard);
/* As if its owner had died: what is under way stays noted. */
void guard_keep(struct guard *guard);
/* Removes what dead owners noted: guard_enter does it, and who waits for a lock does it again. */
void guard_sweep(struct repo *repo);
/* Git processes hold locks for moments: sleeps for one, false when there were enough of them. */
#define LOCK_TRIES 10
bool guard_wait(struct repo *repo, int tries);

/* What is configured; asked once, lent. */
int settings_get(const struct settings **out, struct repo *repo, struct err *err);
/* False where git has to be asked. */
bool settings_identity(struct identity *out, struct repo *repo, enum role role);
void settings_release(struct settings *settings);

/* value: "set", "unset", "unspecified", or a text. */
typedef int each_attribute(void *ctx, const char *path, const char *name, const char *value,
			   struct err *err);
/*
 * Tells text, crlf, eol, ident, filter and working-tree-encoding of each path in a list with a NUL
 * behind each, in that order. Without the index, which takes git long to read where it is large,
 * the attributes in the work tree, the clone and the user's own count: what hash-object and
 * cat-file go by.
 */
int attributes_ask(struct repo *repo, const struct buf *paths, bool index, each_attribute *each,
		   void *ctx, struct err *err);
/* Whether the index may have attributes that are not in the work tree. */
bool attributes_need_index(struct repo *repo);

/* ROLE_AUTHOR or ROLE_COMMITTER. */
int repo_identity_of(struct identity *out, struct repo *repo, enum role role, struct err *err);
/* Names the author in the reflog as far as it is configured. */
void repo_set_reflog_ident(struct repo *repo);
/* Whether git could check a path out: relative, no empty, "." or "..", no ".git". */
bool path_is_plain(const char *path);

#endif
