/* SPDX-License-Identifier: PostgreSQL */
/*
 * The surroundings in which libpq is called: without PG* variables, because PGSERVICE, PGTZ and
 * their like cannot all be overridden by connection keywords ("Environment Variables" in libpq's
 * manual), and in the C locale, because its messages are read. The environment itself stays as it
 * is for children. Between enter and leave nothing but libpq runs.
 */
#ifndef NET_PG_ENV_H
#define NET_PG_ENV_H

#include <locale.h>
#include "base/err.h"

struct pg_env {
	char **clean; /* borrows the strings of environ */
	char **saved;
	locale_t plain, before;
};

int pg_env_init(struct pg_env *env, struct err *err);
void pg_env_enter(struct pg_env *env);
void pg_env_leave(struct pg_env *env);
void pg_env_release(struct pg_env *env);

#endif
