/* SPDX-License-Identifier: PostgreSQL */
/* Ranges of host names: see "Adding ranges of hosts" in Ansible's inventory guide. */
#include "inventory/hosts_read.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RANGE_MAX 10000 /* hosts of one range */
#define DIGITS	  "0123456789"

struct range {
	bool letters;
	long first, last, step;
	int width; /* of numbers with leading zeros, else 0 */
};

static bool whole_number(const char *text, long *out)
{
	size_t len = strlen(text);

	if (!len || len > 9 || strspn(text, DIGITS) != len)
		return false;
	*out = strtol(text, NULL, 10);
	return true;
}

static bool parse_range(struct range *out, const char *text, size_t len)
{
	char copy[64], *next = copy, *first, *last, *step;

	*out = (struct range){.step = 1};
	if (len >= sizeof(copy))
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	first = strsep(&next, ":");
	last = strsep(&next, ":");
	step = strsep(&next, ":");
	if (!last || !*last || next || (step && (!whole_number(step, &out->step) || !out->step)))
		return false;
	if (isalpha((unsigned char)first[0]) && !first[1] && isalpha((unsigned char)last[0]) &&
	    !last[1]) {
		out->letters = true;
		out->first = (unsigned char)first[0];
		out->last = (unsigned char)last[0];
	} else {
		if (!*first)
			first = copy + len; /* "[:3]" begins at 0 */
		if ((*first && !whole_number(first, &out->first)) ||
		    !whole_number(last, &out->last))
			return false;
		if (first[0] == '0' && first[1])
			out->width = (int)strlen(first);
		if (out->width && strlen(first) != strlen(last))
			return false;
	}
	return out->first <= out->last && (out->last - out->first) / out->step < RANGE_MAX;
}

/* The first bracket that holds a range, so that an IPv6 address in brackets is left alone. */
static bool find_range(const char *pattern, const char **open, const char **close)
{
	*open = strchr(pattern, '[');
	*close = *open ? strchr(*open, ']') : NULL;
	return *close && memchr(*open, ':', (size_t)(*close - *open)) &&
	       (*open != pattern || (*close)[1] != '\0') && strncmp(*close, "]:", 2) != 0;
}

int hosts_expand(struct strs *out, const char *pattern, struct err *err)
{
	const char *open, *close;
	struct range range;
	int rc = 0;

	if (!find_range(pattern, &open, &close))
		return strs_add(out, pattern, err);
	if (!parse_range(&range, open + 1, (size_t)(close - open - 1)))
		return err_set(err, ERR_USAGE, "'%.80s' is not a range of hosts", pattern);
	for (long i = range.first; i <= range.last && !rc; i += range.step) {
		char item[24];
		char *text;

		if (range.letters)
			(void)snprintf(item, sizeof(item), "%c", (char)i);
		else
			(void)snprintf(item, sizeof(item), "%0*ld", range.width, i);
		text = str_fmt("%.*s%s%s", (int)(open - pattern), pattern, item, close + 1);
		if (!text)
			rc = err_nomem(err);
		else if (out->count > HOSTS_MAX)
			rc = err_set(err, ERR_USAGE, "'%.80s' is more than %d hosts", pattern,
				     HOSTS_MAX);
		else
			rc = hosts_expand(out, text, err); /* a second range in the same name */
		free(text);
	}
	return rc;
}
