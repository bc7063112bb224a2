/* SPDX-License-Identifier: PostgreSQL */
/*
 * PostgreSQL's regular expressions (its documentation, "Regular Expression Details") as POSIX has
 * them. What means the same in both is translated, what POSIX lacks is said to be unknown.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "safety/access_internal.h"

#define PATTERN_MAX 1024
#define GROUPS_MAX  16
/*
 * The C library writes repetitions out: x+ as xx*, x{3} as xxx, one inside of another likewise. So
 * much longer may an expression become.
 */
#define COPIES_MAX 4096

/* A class that a letter behind a backslash stands for, as it stands inside brackets. */
static const char *class_of(char letter)
{
	switch (tolower((unsigned char)letter)) {
	case 'd':
		return "[:digit:]";
	case 's':
		return "[:space:]";
	case 'w':
		return "[:alnum:]_";
	default:
		return NULL;
	}
}

/* At the character behind a backslash; false for what POSIX has no words for. */
static bool escape(struct buf *out, char c)
{
	const char *class = class_of(c);

	if (class) {
		buf_addf(out, "[%s%s]", isupper((unsigned char)c) ? "^" : "", class);
		return true;
	}
	if (!c || isalnum((unsigned char)c))
		return false;
	/* Before other characters the C library gives a backslash meanings of its own. */
	if (strchr(".[]{}()*+?|^$\\", c))
		buf_addc(out, '\\');
	buf_addc(out, c);
	return true;
}

/* From the opening bracket to behind the closing one; NULL for what POSIX has no words for. */
static const char *brackets(struct buf *out, const char *at)
{
	buf_addc(out, *at++);
	if (*at == '^')
		buf_addc(out, *at++);
	if (*at == ']')
		buf_addc(out, *at++);
	while (*at && *at != ']') {
		if (at[0] == '[' && at[1] == ':') {
			const char *end = strstr(at + 2, ":]");

			if (!end)
				return NULL;
			buf_add(out, at, (size_t)(end + 2 - at));
			at = end + 2;
		} else if (at[0] == '[' && (at[1] == '.' || at[1] == '=')) {
			return NULL;
		} else if (at[0] == '\\') {
			const char *class = islower((unsigned char)at[1]) ? class_of(at[1]) : NULL;

			if (class)
				buf_adds(out, class);
			else if (!at[1] || isalnum((unsigned char)at[1]) || strchr("]^-[", at[1]))
				return NULL;
			else
				buf_addc(out, at[1]);
			at += 2;
		} else {
			buf_addc(out, *at++);
		}
	}
	if (!*at)
		return NULL;
	buf_addc(out, *at);
	return at + 1;
}

struct translation {
	struct buf out;
	size_t groups;
	size_t captures; /* the first group that captures */
	size_t copies;
	bool repeated; /* the last thing was a repetition: another one is an error in PostgreSQL */
};

static const char *group(struct translation *to, const char *at)
{
	bool silent = at[1] == '?' && at[2] == ':';

	/* Look-ahead, and options inside the expression. */
	if (at[1] == '?' && !silent)
		return NULL;
	to->groups++;
	if (!silent && !to->captures)
		to->captures = to->groups;
	buf_addc(&to->out, '(');
	return at + (silent ? 3 : 1);
}

static bool copies(struct translation *to, size_t times)
{
	to->copies *= times ? times : 1;
	return to->copies <= COPIES_MAX;
}

/* From the opening brace to behind the closing one. */
static const char *interval(struct translation *to, const char *at)
{
	const char *end = strchr(at, '}');
	size_t bound = 0, most = 0;

	if (!end)
		return NULL;
	for (const char *c = at + 1; c < end; c++) {
		if (!isdigit((unsigned char)*c) && *c != ',')
			return NULL;
		bound = *c == ',' ? 0 : bound * 10 + (size_t)(*c - '0');
		most = bound > most ? bound : most;
		if (most > COPIES_MAX)
			return NULL;
	}
	/* Without an upper bound there is one more, as with x+. */
	if (!copies(to, most + (end[-1] == ',')))
		return NULL;
	buf_add(&to->out, at, (size_t)(end + 1 - at));
	return end + 1;
}

/* A repetition, from its first character to behind it. */
static const char *repetition(struct translation *to, const char *at)
{
	if (to->repeated)
		return NULL;
	if (*at == '{') {
		at = interval(to, at);
	} else {
		if (*at == '+' && !copies(to, 2))
			return NULL;
		buf_addc(&to->out, *at++);
	}
	/* As few as possible, which POSIX does not have. */
	return at && *at == '?' ? NULL : at;
}

static bool translate(struct translation *to, const char *at)
{
	if (!strncmp(at, "***", 3))
		return false;
	while (at && *at) {
		bool repeats = strchr("*+?{", *at) != NULL;

		if (repeats) {
			at = repetition(to, at);
		} else if (*at == '\\') {
			if (!escape(&to->out, at[1]))
				return false;
			at += 2;
		} else if (*at == '[') {
			at = brackets(&to->out, at);
		} else if (*at == '(') {
			at = group(to, at);
		} else {
			buf_addc(&to->out, *at++);
		}
		to->repeated = repeats;
	}
	return at && to->groups < GROUPS_MAX;
}

int access_regex_init(struct access_regex *out, const char *pattern, struct err *err)
{
	struct translation to = {.copies = 1};
	int rc = 0;

	*out = (struct access_regex){.usable = false};
	buf_init(&to.out, (size_t)16 * PATTERN_MAX);
	if (strlen(pattern) <= PATTERN_MAX && translate(&to, pattern)) {
		rc = buf_check(&to.out, "a regular expression", err);
		out->usable = !rc && !regcomp(&out->re, to.out.data, REG_EXTENDED);
		out->group = to.captures;
	}
	buf_release(&to.out);
	return rc;
}

void access_regex_release(struct access_regex *regex)
{
	if (regex->usable)
		regfree(&regex->re);
	*regex = (struct access_regex){.usable = false};
}

static bool is_ascii(const char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text >= 0x80)
			return false;
	}
	return true;
}

int access_regex_match(enum tri *out, char **capture, const struct access_regex *regex,
		       const char *text, struct err *err)
{
	regmatch_t matches[GROUPS_MAX];
	int rc;

	if (capture)
		*capture = NULL;
	*out = TRI_MAYBE;
	/* What is one character here depends on the server's encoding. */
	if (!regex->usable || !is_ascii(text))
		return 0;
	rc = regexec(&regex->re, text, GROUPS_MAX, matches, 0);
	if (rc)
		*out = rc == REG_NOMATCH ? TRI_NO : TRI_MAYBE;
	if (rc)
		return 0;
	*out = TRI_YES;
	if (capture && regex->group && matches[regex->group].rm_so >= 0) {
		const regmatch_t *match = &matches[regex->group];

		*capture = strndup(text + match->rm_so, (size_t)(match->rm_eo - match->rm_so));
		if (!*capture)
			return err_nomem(err);
	}
	return 0;
}
