/* SPDX-License-Identifier: PostgreSQL */
/*
 * What a check says: which check, about whom, how bad, why, and what to do. Proof, probes, plan,
 * status and the JSON output all speak in findings.
 */
#ifndef BASE_FINDING_H
#define BASE_FINDING_H

#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"
#include "base/strs.h"

enum severity {
	SEVERITY_INFO,	  /* worth knowing */
	SEVERITY_WARNING, /* does not stop a phase */
	SEVERITY_BLOCK,	  /* stops the phase (a gate) unless waived */
	SEVERITY__MAX
};

struct finding {
	const char *check; /* a constant name, "leaf-expiry": stable, used by --waive and JSON */
	enum severity severity;
	char *subject; /* "server db1.example.com"; never NULL */
	char *reason;  /* one sentence, lower case, no full stop */
	char *advice;  /* what to do; "" for nothing */
	bool waived;
};

struct findings {
	struct finding *items;
	size_t count;
	size_t cap;
};

#define FINDINGS_INIT                                                                              \
	{                                                                                          \
		NULL, 0, 0                                                                         \
	}

/* reason is a format; advice may be NULL. */
int findings_add(struct findings *list, const char *check, enum severity severity,
		 const char *subject, const char *advice, struct err *err, const char *reason, ...)
	__attribute__((format(printf, 7, 8)));
/* Moves all of them behind those of to, and leaves from empty. */
int findings_take(struct findings *to, struct findings *from, struct err *err);
/* Findings of that severity or worse that are not waived. */
size_t findings_count(const struct findings *list, enum severity at_least);
/* The worst of the list first, otherwise the order in which they came. */
void findings_sort(struct findings *list);
void findings_release(struct findings *list);

/* Findings of one check that say the same of several subjects. */
struct finding_group {
	const struct finding *first; /* borrowed: check, severity, reason and advice are its */
	struct strs subjects;	     /* in their order, each once */
};

struct finding_groups {
	struct finding_group *items; /* in the order of their first findings */
	size_t count;
};

int findings_group(struct finding_groups *out, const struct findings *list, struct err *err);
void findings_group_release(struct finding_groups *groups);
const char *severity_name(enum severity severity);

#endif
