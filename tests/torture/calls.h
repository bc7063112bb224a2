/* SPDX-License-Identifier: PostgreSQL */
/*
 * What is known about the system calls of a traced process: what each changes, which of them can
 * fail and how, and what they are about, in words. Linux on x86-64 (syscalls(2), ptrace(2)).
 */
#ifndef TESTS_TORTURE_CALLS_H
#define TESTS_TORTURE_CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CALL_TEXT_SIZE 9000
#define FAULTS_MAX     6

/* How an argument is read. */
enum call_shape {
	SHAPE_PATH,    /* path */
	SHAPE_AT,      /* directory, path */
	SHAPE_PATHS,   /* old path, new path */
	SHAPE_ATS,     /* old directory, old path, new directory, new path */
	SHAPE_LINK,    /* text, path */
	SHAPE_LINK_AT, /* text, directory, path */
	SHAPE_FD,      /* descriptor */
	SHAPE_FD_SIZE, /* descriptor, buffer, size */
	SHAPE_OPEN,    /* path, flags */
	SHAPE_OPEN_AT, /* directory, path, flags */
	SHAPE_CLONE,   /* flags */
	SHAPE_NONE,
};

enum call_effect {
	EFFECT_NONE,
	EFFECT_CHANGE, /* something on disk is another afterwards */
	EFFECT_SYNC,   /* what was changed before lasts from now on */
	EFFECT_START,  /* a new process */
};

struct call_kind {
	long nr;
	const char *name;
	enum call_shape shape;
	enum call_effect effect;
	int faults[FAULTS_MAX]; /* what it fails with, as its manual page lists; ends with 0 */
	bool can_be_short;	/* it may do less than it was asked for */
};

/* NULL for one that neither changes anything nor is made to fail. */
const struct call_kind *call_kind(long nr);
const struct call_kind *call_at(size_t i); /* NULL behind the last */

struct call {
	const struct call_kind *kind;
	enum call_effect effect; /* of this very call: reading a file changes nothing */
	uint64_t args[6];
	char text[CALL_TEXT_SIZE]; /* its paths, and what a descriptor stands for, tab separated */
};

/* What a process is about to do: it stands still before its call. False where nothing is known. */
bool call_look(struct call *out, pid_t pid, long nr, const uint64_t args[6]);
/* "EIO", and back. 0 and NULL for what is not known. */
int call_errno(const char *name);
const char *call_errno_name(int number);

#endif
