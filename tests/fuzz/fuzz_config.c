/* SPDX-License-Identifier: PostgreSQL */
/* A certrotate.yml from anywhere: never a crash, and no path that leaves the repository. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "inventory/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct config *config)
{
	for (size_t i = 0; i < config->environment_count; i++) {
		const struct environment *env = &config->environments[i];
		const char *const paths[] = {env->inventory, env->chain, env->certs, env->keys};

		if (!environment_name_valid(env->name) || env->base[0] == '-')
			abort();
		for (size_t j = 0; j < 4; j++) {
			if (!path_is_inside(paths[j]))
				abort();
		}
		if (env->census_playbook && !path_is_inside(env->census_playbook))
			abort();
		if (!env->census_certificate != !env->census_key)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("certrotate.yml", 0);
	struct config *config = NULL;
	struct err err = {0};
	char path[64];

	if (fd < 0)
		return 0;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (write(fd, data, size) == (ssize_t)size) {
		if (config_load(&config, "/usr/share/doc", path, &err) == 0)
			check(config);
		else if (err.code != ERR_USAGE || !err.msg[0] || config)
			abort();
	}
	config_free(config);
	(void)close(fd);
	return 0;
}
