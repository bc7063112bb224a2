/* SPDX-License-Identifier: PostgreSQL */
#include "state/receiver.h"

#include <stdlib.h>

#include "base/file.h"

#define ARENA_MAX ((size_t)1 << 20)

void receiver_release(struct receiver *receiver)
{
	arena_free(receiver->arena);
	free(receiver->ca_file);
	*receiver = (struct receiver){.arena = NULL};
}

/* NULL: none; free() it. */
static int full_path(char **out, const struct session *session, const char *path, struct err *err)
{
	*out = path ? path_join(session->config->root, path) : NULL;
	return path && !*out ? err_nomem(err) : 0;
}

int receiver_open(struct receiver *out, const struct session *session,
		  const struct webhook_config *config, struct err *err)
{
	char *url_file = NULL, *secret_file = NULL;
	int rc;

	*out = (struct receiver){.arena = arena_new(ARENA_MAX)};
	rc = out->arena ? full_path(&url_file, session, config->url_file, err) : err_nomem(err);
	rc = rc ? rc : full_path(&secret_file, session, config->secret_file, err);
	rc = rc ? rc : full_path(&out->ca_file, session, config->ca_file, err);
	if (!rc) {
		const struct webhook_source source = {.url = config->url,
						      .url_file = url_file,
						      .secret_file = secret_file,
						      .secret_env = config->secret_env};

		rc = webhook_target(&out->target, out->arena, &source, err);
	}
	free(url_file);
	free(secret_file);
	if (rc)
		receiver_release(out);
	return rc;
}
