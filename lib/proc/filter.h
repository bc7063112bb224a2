/* SPDX-License-Identifier: PostgreSQL */
/*
 * A streaming filter that takes private keys out of other programs' output. Everything from
 * "-----BEGIN … PRIVATE KEY" to the end of its "-----END …-----" (RFC 7468, RFC 1421) becomes
 * "[private key removed]": raw, with "\n" or "\\n" for line ends, in quotes, in a list of lines,
 * coloured, wrapped in the middle of the header, and wherever a read cuts it. A PEM file inside
 * base64 (Ansible's slurp) goes whole, whatever it holds. How the input is cut never changes the
 * result.
 *
 * Where the END never comes (a key cut short), the rest is dropped up to a whole line that cannot
 * be part of a key: one with " [", "**" or a leading '[', and no long run of base64 (Ansible's
 * "TASK [", "ok: [", "PLAY RECAP ***"). Without such a line everything to the end is dropped.
 */
#ifndef PROC_FILTER_H
#define PROC_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include "base/buf.h"

#define FILTER_REMOVED "[private key removed]"
#define FILTER_HIDDEN  "[passphrase removed]"
#define FILTER_HOLD    256

struct secret;

struct filter {
	const struct secret *secret; /* see filter_hide */
	size_t secret_at;	     /* how much of it the last bytes were */
	void (*emit)(void *ctx, const char *data, size_t len);
	void *ctx;
	size_t removed; /* keys so far */
	int state;
	int line;	 /* inside a key: what is known about this line */
	size_t dashes;	 /* in a row */
	size_t matched;	 /* of a header's or footer's marker */
	size_t run;	 /* base64 characters in a row */
	size_t held_len; /* what cannot be decided yet */
	char held[FILTER_HOLD];
};

void filter_init(struct filter *filter, void (*emit)(void *ctx, const char *data, size_t len),
		 void *ctx);
/*
 * From now on that text goes as well, wherever it stands whole: "[passphrase removed]". Borrowed
 * until filter_end; of no length, or NULL: nothing.
 */
void filter_hide(struct filter *filter, const struct secret *secret);
/* At most FILTER_HOLD bytes, and a part of what filter_hide took, are held back until more comes or
 * filter_end is called. */
void filter_feed(struct filter *filter, const char *data, size_t len);
/* The end of the stream: what was held is given out, unless it may belong to a key. */
void filter_end(struct filter *filter);
/* All at once, for a text that is whole. */
void filter_text(struct buf *out, const char *data, size_t len);

/*
 * Drops what a log does not want: terminal control sequences (ECMA-48: CSI, OSC and the other
 * strings, two-byte escapes), control characters but newline and tab, and what else base/utf8.h
 * calls harmful; a byte that is no UTF-8 becomes '?'. Also streaming; a sequence ends with its line
 * at the latest. Zeroed memory is a fresh state. Never adds more bytes than it was given, all calls
 * together.
 */
#define STRIP_SGR_MAX 24

struct strip {
	int state;
	size_t held_len; /* of a colour's parameters, for strip_to_colors */
	char held[STRIP_SGR_MAX];
	size_t char_len; /* of a character that is not whole yet */
	char bytes[4];
};

void strip_controls(struct strip *strip, struct buf *out, const char *data, size_t len);
/* For a terminal: as above, but colours (CSI digits and ';' up to 'm') stay. */
void strip_to_colors(struct strip *strip, struct buf *out, const char *data, size_t len);

#endif
