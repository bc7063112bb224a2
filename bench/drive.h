/* SPDX-License-Identifier: PostgreSQL */
/*
 * What the programs that are measured share. They are the library behind a main(), for work that
 * no command of certrotate does alone; what goes wrong ends them with exit code 1 and a message.
 */
#ifndef BENCH_DRIVE_H
#define BENCH_DRIVE_H

#include <stddef.h>
#include "base/buf.h"
#include "base/err.h"
#include "secret/arena.h"

/* Ends the program where rc is an error. */
void must(int rc, const struct err *err);
/* Ends it where memory is NULL; returns it. */
void *must_have(void *memory);
/* A number of the command line. */
size_t number(const char *text);

/* As certrotate's own main() does: what is freed is wiped. Before anything else. */
void drive_begin(void);

/* A whole file; buf_release() it. */
void drive_read(struct buf *out, const char *path);
/* The same in place, for as long as the program runs. */
const char *drive_map(const char *path, size_t *len);
/* The same into an arena, for keys. */
void drive_read_secret(struct secret *out, struct arena *arena, const char *path);
/* A file that is new or replaced, for nobody but us: its descriptor. */
int drive_create(const char *path);
/* Writes such a file; no fsync. */
void drive_write(const char *path, const void *data, size_t len);

/* Seconds: by the clock, and of this process on all processors. */
double drive_wall(void);
double drive_cpu(void);

#endif
