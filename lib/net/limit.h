/* SPDX-License-Identifier: PostgreSQL */
#ifndef NET_LIMIT_H
#define NET_LIMIT_H

#include <stddef.h>

/*
 * How many connections may run at the same time: limit, or fewer where RLIMIT_NOFILE does not
 * allow for so many that take `each` descriptors; at least 1.
 */
size_t net_limit(size_t limit, size_t each);

#endif
