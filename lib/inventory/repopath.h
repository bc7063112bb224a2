/* SPDX-License-Identifier: PostgreSQL */
/*
 * Paths that a configuration names: relative to the repository, and inside it even when symbolic
 * links are followed, so that nothing outside is ever read as inventory or written.
 */
#ifndef INVENTORY_REPOPATH_H
#define INVENTORY_REPOPATH_H

#include <stdbool.h>
#include "base/err.h"

/*
 * The path without "." components and doubled slashes, checked against root.
 * What does not exist yet is checked as far as it exists. ERR_USAGE "'PATH' leaves the repository".
 * free() it.
 */
int repo_path(char **out, const char *root, const char *path, struct err *err);

/* As repo_path, and symbolic links are resolved: the path under which git knows the file. */
int repo_path_real(char **out, const char *root, const char *path, struct err *err);

#endif
