/* SPDX-License-Identifier: PostgreSQL */
/*
 * A JSON text with words in braces, "{text}", that stand for values. A value is put in as the
 * inside of a JSON string, so a word belongs between quotes. Braces around anything but letters and
 * '_' are JSON's own.
 *
 * "{text|slack}" is the value with &, < and > as Slack wants them ("Formatting text for app
 * surfaces", Escaping text): there <!channel> calls everybody, and <https://…|a word> is a link.
 * Mattermost takes both from Slack.
 */
#ifndef OUTSIDE_TEMPLATE_H
#define OUTSIDE_TEMPLATE_H

#include <stddef.h>
#include "base/buf.h"
#include "base/err.h"

struct template_word {
	const char *name;
	const char *value; /* NULL: "" */
};

/*
 * Adds the filled text to out. ERR_USAGE with "NAME:LINE: …" where a word is none of those given
 * (and the nearest of them), or where what comes out is no JSON.
 */
int template_fill(struct buf *out, const char *text, size_t len, const char *name,
		  const struct template_word *words, size_t count, struct err *err);

#endif
