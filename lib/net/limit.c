/* SPDX-License-Identifier: PostgreSQL */
#include "net/limit.h"

#include <sys/resource.h>

#define DESCRIPTORS_KEPT ((size_t)64) /* for everything else in the program */

size_t net_limit(size_t limit, size_t each)
{
	struct rlimit files;
	size_t most;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur == RLIM_INFINITY)
		return limit ? limit : 1;
	most = (size_t)files.rlim_cur;
	most = most > 2 * DESCRIPTORS_KEPT ? most - DESCRIPTORS_KEPT : most / 2;
	most /= each;
	if (limit < most)
		most = limit;
	return most ? most : 1;
}
