/* SPDX-License-Identifier: PostgreSQL */
/*
 * What a person sees: results on standard output, messages and progress on standard error. Texts
 * from files never reach a terminal with control characters in them. Colours and progress only
 * where standard error is a terminal; NO_COLOR (no-color.org) is honoured.
 */
#ifndef CMD_UI_H
#define CMD_UI_H

#include <stdbool.h>
#include "base/buf.h"
#include "base/err.h"
#include "base/finding.h"
#include "base/json.h"
#include "base/log.h"
#include "proc/filter.h"

enum ui_color { UI_PLAIN, UI_BOLD, UI_RED, UI_YELLOW, UI_GREEN, UI_DIM, UI_COLOR__MAX };

#define UI_COLOR_SIZE 32

struct ui {
	bool color_out; /* colours on standard output */
	bool color_err;
	bool progress; /* standard error is a terminal */
	bool ask;      /* a person can answer */
	bool quiet;
	bool verbose;
	bool progress_shown;
	bool mid_line;	      /* a child's output has not ended its line */
	bool out_tty;	      /* standard output is a terminal: nothing waits */
	struct buf out;	      /* what waits for it */
	struct err unwritten; /* why standard output could not be written */
	struct strip strip;   /* of a child's output */
	struct log log;
	/* Our own colours, with a number in them that no text from outside can know. */
	char colors[UI_COLOR__MAX][UI_COLOR_SIZE];
	char mark[24];
};

void ui_init(struct ui *ui);

/* Formatted text for standard output; control characters other than newline are made harmless. */
void ui_out(struct ui *ui, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* As ui_out, for sentences: a terminal's lines are broken between words, and what follows is
 * indented by that many columns (0: two more than the line itself). */
void ui_prose(struct ui *ui, size_t indent, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* A line on standard error, broken between words on a terminal. */
void ui_say(struct ui *ui, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The error's message and its hint. */
void ui_error(struct ui *ui, const struct err *err);
/*
 * Findings, worst first; those of one check that say the same are one, and share their advice.
 * Returns how many block. What is merely worth knowing, and the many of one check, only with -v.
 */
size_t ui_findings(struct ui *ui, const struct findings *findings);
/* Removes the progress line, before anything else is printed. */
void ui_clear_progress(struct ui *ui);
/* "question [y/N] ": true for y or yes. False where nobody can answer. */
bool ui_confirm(struct ui *ui, const char *question);
/*
 * Writes out what waits for standard output; an error where not all of it could be written, once.
 * Who reads no further (a pager, head) has seen enough: that is none.
 */
int ui_flush(struct ui *ui, struct err *err);
/* Prints a JSON document and frees it. */
int ui_json(struct ui *ui, struct json *value, struct err *err);
struct json *ui_findings_json(const struct findings *findings);

/* What makes a colour on standard output, or "" where it has none: for ui_out and ui_prose alone.
 */
const char *ui_color(const struct ui *ui, enum ui_color color);
/* The same for standard error: for ui_say. */
const char *ui_color_err(const struct ui *ui, enum ui_color color);

#endif
