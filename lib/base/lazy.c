/* SPDX-License-Identifier: PostgreSQL */
#include "base/lazy.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

typedef void function(void);

static int refuse(const struct lazy *library, struct err *err)
{
	const char *reason = dlerror(); /* names the library, or the function */

	err_set(err, ERR_FAIL, "cannot use %s: %s", library->file, reason ? reason : "unknown");
	return err_hint(err, "is Debian's package %s installed, or one as new?", library->package);
}

static int fill(struct lazy *library, void *handle, struct err *err)
{
	for (size_t i = 0; i < library->count; i++) {
		void *symbol = dlsym(handle, library->names[i]);

		if (!symbol)
			return refuse(library, err);
		/* POSIX, dlsym: a void * that holds a function's address; C has no cast for it. */
		memcpy((char *)library->table + i * sizeof(function *), &symbol, sizeof(symbol));
	}
	library->loaded = true;
	return 0;
}

static int load(struct lazy *library, struct err *err)
{
	/* As the program's own libraries: all at once, so that nothing is missing half-way. */
	void *handle = dlopen(library->file, RTLD_NOW | RTLD_LOCAL);

	return handle ? fill(library, handle, err) : refuse(library, err);
}

int lazy_load(struct lazy *library, struct err *err)
{
	static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER;
	int rc = 0;

	(void)pthread_mutex_lock(&one);
	if (!library->loaded)
		rc = load(library, err);
	(void)pthread_mutex_unlock(&one);
	return rc;
}
