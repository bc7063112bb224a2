/* SPDX-License-Identifier: PostgreSQL */
#include "net/pg_env.h"

#include <locale.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/strs.h"

int pg_env_init(struct pg_env *env, struct err *err)
{
	size_t count = 0;
	size_t kept = 0;

	*env = (struct pg_env){0};
	while (environ && environ[count])
		count++;
	env->clean = calloc(count + 1, sizeof(*env->clean));
	if (!env->clean)
		return err_nomem(err);
	for (size_t i = 0; i < count; i++) {
		if (!str_starts(environ[i], "PG"))
			env->clean[kept++] = environ[i];
	}
	env->plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	return 0;
}

void pg_env_enter(struct pg_env *env)
{
	env->saved = environ;
	environ = env->clean;
	env->before = env->plain ? uselocale(env->plain) : (locale_t)0;
}

void pg_env_leave(struct pg_env *env)
{
	environ = env->saved;
	if (env->before)
		(void)uselocale(env->before);
}

void pg_env_release(struct pg_env *env)
{
	free(env->clean);
	if (env->plain)
		freelocale(env->plain);
	*env = (struct pg_env){0};
}
