/* SPDX-License-Identifier: PostgreSQL */
/*
 * A clone "work" of a bare remote "origin.git" that holds the environment poc as chainsmith wrote
 * it, with nothing to probe, in which whole phases run. A script stands in for ansible-playbook.
 */
#ifndef TESTS_STATE_SCENE_H
#define TESTS_STATE_SCENE_H

#include "state/runner.h"
#include "tests/state/suites.h"

extern struct session_options scene_options;
extern struct loop_stop scene_stop;

/* An unchecked fixture: makes what each test gets a copy of, once. */
void scene_prepare(void);
void scene_setup(void); /* in the state generated */
void scene_teardown(void);
/* Back to the state idle, before certrotate was there. */
void scene_first(void);

/* Runs a shell command in the temporary directory; it has to succeed. */
void scene_sh(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Its output, line ends aside, in a static buffer. */
const char *scene_says(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Replaces a file of the work tree, as a commit on the remote's dev. */
void scene_commit(const char *path, const char *text);
/* certrotate.yml with these lines below "defaults:". */
#define SCENE_QUIET "  endpoints: []\n  census: {samples: 0}\n" /* as scene_setup leaves it */
void scene_configure(const char *defaults);
/*
 * sh(1) at the beginning of each push (in "work"), of each fetch, and behind each push
 * ("origin.git", with the commit's subject as $subject). "colleague" is a program there that puts
 * another commit onto the remote's dev. NULL: nothing more.
 */
void scene_at_push(const char *script);
void scene_at_fetch(const char *script);
void scene_behind_push(const char *script);
/*
 * What Ansible's stand-in does, in the work tree, before it prints its recap of db1 and db2 (all
 * well); $phase is set, and $report is the folder for reports or empty. "exit" leaves the recap
 * out.
 */
void scene_ansible(const char *script);
/* Called whenever it shows that a playbook goes on; NULL: nothing is. */
extern void (*scene_progress)(const char *text);
/* How often it was run with a playbook. */
int scene_plays(void);

/* One phase, or up to that state; 0 or the error's code. */
int scene_run(enum event event, enum state to, struct err *err);
/* Up to that state, and it has to work. */
void scene_to(enum state to);
/* All that was logged so far, a line each. */
const char *scene_log(void);

#endif
