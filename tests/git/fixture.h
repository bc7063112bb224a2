/* SPDX-License-Identifier: PostgreSQL */
/* A real repository "work" with a bare remote "origin", made by the git program. */
#ifndef TESTS_GIT_FIXTURE_H
#define TESTS_GIT_FIXTURE_H

#include "base/sys.h"
#include "git/commit.h"
#include "git/diff.h"
#include "git/remote.h"
#include "git/repo.h"
#include "git/worktree.h"
#include "tests/support/support.h"

#define DEV  "refs/heads/dev"
#define WHEN 1763688600 /* what the fixture's clock says */

extern struct repo *repo; /* "work", opened */
extern struct sys test_sys;
extern struct err err;

void fixture_setup(void);
void fixture_teardown(void);
void reopen(void);

/* Runs a shell command in the temporary directory; it has to succeed. Its output, without the line
 * end at its end, stays until the eighth call after. */
const char *sh(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The same, whatever the exit code, which is returned. */
int sh_code(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
struct oid rev(const char *name); /* of "work" */
/* A commit on parent with that one file. */
struct oid commit_file(const struct oid *parent, const char *path, const char *text);
/* All that git says of index and work tree, own entry "certs.yml" left out. */
const char *everything_else(void);

Suite *repo_suite(void);
Suite *commit_suite(void);
Suite *worktree_suite(void);
Suite *crash_suite(void);
Suite *remote_suite(void);
Suite *text_suite(void);
Suite *clear_key_suite(void);

#endif
