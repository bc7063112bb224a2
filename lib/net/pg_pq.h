/* SPDX-License-Identifier: PostgreSQL */
/* libpq's functions, as <libpq-fe.h> declares them, in a library that is opened when needed. */
#ifndef NET_PG_PQ_H
#define NET_PG_PQ_H

#include <libpq-fe.h>

#include "base/err.h"

#define PQ_FUNCTIONS(X)                                                                            \
	X(PQclear)                                                                                 \
	X(PQconnectPoll)                                                                           \
	X(PQconnectStartParams)                                                                    \
	X(PQconnectionNeedsPassword)                                                               \
	X(PQconsumeInput)                                                                          \
	X(PQerrorMessage)                                                                          \
	X(PQfinish)                                                                                \
	X(PQflush)                                                                                 \
	X(PQgetResult)                                                                             \
	X(PQgetvalue)                                                                              \
	X(PQisBusy)                                                                                \
	X(PQnfields)                                                                               \
	X(PQntuples)                                                                               \
	X(PQresultErrorField)                                                                      \
	X(PQresultErrorMessage)                                                                    \
	X(PQresultStatus)                                                                          \
	X(PQsendQuery)                                                                             \
	X(PQserverVersion)                                                                         \
	X(PQsetErrorVerbosity)                                                                     \
	X(PQsetNoticeProcessor)                                                                    \
	X(PQsetSingleRowMode)                                                                      \
	X(PQsetnonblocking)                                                                        \
	X(PQsocket)                                                                                \
	X(PQsslInUse)                                                                              \
	X(PQstatus)

struct pq {
#define PQ_MEMBER(name) __typeof__(name) *(name);
	PQ_FUNCTIONS(PQ_MEMBER)
#undef PQ_MEMBER
};

/* The process's; NULL with the reason in err. See base/lazy.h. */
const struct pq *pq_library(struct err *err);

#endif
