/* SPDX-License-Identifier: PostgreSQL */
/*
 * libcurl's functions, as <curl/curl.h> declares them, in a library that is opened when needed.
 * They are called without their "curl_", because that header has macros of some of their names.
 */
#ifndef NET_HTTP_CURL_H
#define NET_HTTP_CURL_H

#include <curl/curl.h>

#include "base/err.h"

#define CURL_FUNCTIONS(X)                                                                          \
	X(easy_cleanup)                                                                            \
	X(easy_getinfo)                                                                            \
	X(easy_init)                                                                               \
	X(easy_reset)                                                                              \
	X(easy_setopt)                                                                             \
	X(easy_strerror)                                                                           \
	X(free)                                                                                    \
	X(getdate)                                                                                 \
	X(global_cleanup)                                                                          \
	X(global_init_mem)                                                                         \
	X(multi_add_handle)                                                                        \
	X(multi_assign)                                                                            \
	X(multi_cleanup)                                                                           \
	X(multi_info_read)                                                                         \
	X(multi_init)                                                                              \
	X(multi_remove_handle)                                                                     \
	X(multi_setopt)                                                                            \
	X(multi_socket_action)                                                                     \
	X(slist_append)                                                                            \
	X(slist_free_all)                                                                          \
	X(url)                                                                                     \
	X(url_cleanup)                                                                             \
	X(url_get)                                                                                 \
	X(url_set)                                                                                 \
	X(url_strerror)

struct curl {
#define CURL_MEMBER(name) __typeof__(curl_##name) *(name);
	CURL_FUNCTIONS(CURL_MEMBER)
#undef CURL_MEMBER
};

/* The process's; NULL with the reason in err. See base/lazy.h. */
const struct curl *curl_library(struct err *err);

#endif
