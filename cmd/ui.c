/* SPDX-License-Identifier: PostgreSQL */
#include "cmd/ui.h"

#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/strs.h"
#include "base/sys.h"
#include "cmd/wrap.h"

#define OUT_KEPT     ((size_t)64 << 10)
#define OUT_MAX	     (BUF_TEXT_MAX + OUT_KEPT)
#define NAMES_SHOWN  6 /* of those of whom the same is said */
#define NAMES_SIZE   2048
#define GROUPS_SHOWN 10 /* of one check */

static const char *color(const struct ui *ui, bool on, enum ui_color which)
{
	return on ? ui->colors[which] : "";
}

const char *ui_color(const struct ui *ui, enum ui_color which)
{
	return color(ui, ui->color_out, which);
}

const char *ui_color_err(const struct ui *ui, enum ui_color which)
{
	return color(ui, ui->color_err, which);
}

/* The columns of the terminal that this is; 0 where it is none. */
static size_t width_of(FILE *file)
{
	struct winsize size;

	return ioctl(fileno(file), TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

void ui_clear_progress(struct ui *ui)
{
	if (!ui->progress_shown)
		return;
	(void)fputs("\r\033[K", stderr);
	ui->progress_shown = false;
}

static void end_line(struct ui *ui)
{
	ui_clear_progress(ui);
	if (ui->mid_line)
		(void)fputc('\n', stderr);
	ui->mid_line = false;
}

/* The length of one of our own colours. A text from outside may hold one too: it is no colour then.
 */
static size_t own_color_len(const struct ui *ui, const char *text)
{
	size_t len = wrap_color_len(text), mark = strlen(ui->mark);

	return len > mark && !memcmp(text + len - mark, ui->mark, mark) ? len : 0;
}

/*
 * Standard output is not stdio's: that throws away what a signal kept it from writing, and forgets
 * why a write failed.
 */
static void flush_out(struct ui *ui)
{
	/* the first reason counts */
	struct err *err = ui->unwritten.code ? NULL : &ui->unwritten;

	(void)file_write_all(STDOUT_FILENO, ui->out.data, ui->out.len, "to standard output", err);
	buf_release(&ui->out);
	buf_init(&ui->out, OUT_MAX);
}

static void put_out(struct ui *ui, const char *data, size_t len)
{
	buf_add(&ui->out, data, len);
	if (ui->out_tty || ui->out.len >= OUT_KEPT)
		flush_out(ui);
}

static bool is_hung_up(int fd)
{
	struct pollfd reader = {.fd = fd, .events = POLLOUT};

	return poll(&reader, 1, 0) > 0 && (reader.revents & POLLERR);
}

int ui_flush(struct ui *ui, struct err *err)
{
	struct err unwritten;

	flush_out(ui);
	unwritten = ui->unwritten;
	err_clear(&ui->unwritten);
	if (!unwritten.code || is_hung_up(STDOUT_FILENO))
		return 0;
	*err = unwritten;
	return err->code;
}

/* One text, made harmless but for its newlines, tabs and our colours. */
static void put(struct ui *ui, FILE *file, const char *text)
{
	struct buf safe;

	buf_init(&safe, BUF_TEXT_MAX);
	while (*text) {
		size_t len = strcspn(text, "\n\t\033");
		size_t colored;

		buf_add_safe(&safe, text, len);
		text += len;
		colored = *text ? own_color_len(ui, text) : 0;
		if (colored)
			buf_addf(&safe, "%.*sm", (int)(colored - strlen(ui->mark)), text);
		else if (*text == '\033')
			buf_add_safe(&safe, text, 1);
		else if (*text)
			buf_addc(&safe, *text);
		text += *text ? (colored ? colored : 1) : 0;
	}
	if (file == stdout)
		put_out(ui, safe.data, safe.len);
	else
		(void)fwrite(safe.data, 1, safe.len, file);
	buf_release(&safe);
}

static void line(void *ctx, enum log_level level, const char *text)
{
	struct ui *ui = ctx;

	if ((level == LOG_DEBUG && !ui->verbose) || (level == LOG_INFO && ui->quiet))
		return;
	ui_say(ui, "%s%s%s%s", color(ui, ui->color_err, level == LOG_WARNING ? UI_YELLOW : UI_DIM),
	       level == LOG_WARNING ? "warning: " : "", text, color(ui, ui->color_err, UI_PLAIN));
}

/* The bytes of as many whole characters as there are columns. */
static size_t fitting(const char *text, size_t columns)
{
	size_t len = 0;

	for (; text[len] && (columns || (text[len] & 0xc0) == 0x80); len++)
		columns -= columns && (text[len] & 0xc0) != 0x80;
	return len;
}

static void progress(void *ctx, const char *text)
{
	struct ui *ui = ctx;
	size_t columns = width_of(stderr);
	struct buf safe;

	if (!ui->progress || ui->quiet)
		return;
	end_line(ui);
	if (!text[0])
		return;
	buf_init(&safe, BUF_TEXT_MAX);
	buf_add_safe(&safe, text, strlen(text));
	columns = (columns > 10 ? columns : 80) - 1;
	safe.data[fitting(safe.data, columns)] = '\0';
	put(ui, stderr, color(ui, ui->color_err, UI_DIM));
	(void)fputs(safe.data, stderr);
	put(ui, stderr, color(ui, ui->color_err, UI_PLAIN));
	(void)fflush(stderr);
	ui->progress_shown = true;
	buf_release(&safe);
}

/* A child's output is shown live on a terminal, or with -v: else it is in the log file. */
static void output(void *ctx, const char *data, unsigned long len)
{
	struct ui *ui = ctx;
	struct buf text;

	if (ui->quiet || (!ui->verbose && !ui->progress) || !len)
		return;
	ui_clear_progress(ui);
	buf_init(&text, BUF_TEXT_MAX);
	if (ui->color_err)
		strip_to_colors(&ui->strip, &text, data, len);
	else
		strip_controls(&ui->strip, &text, data, len);
	(void)fwrite(text.data, 1, text.len, stderr);
	if (text.len)
		ui->mid_line = text.data[text.len - 1] != '\n';
	buf_release(&text);
}

/* Where there is no random number there are no colours. */
static bool make_colors(struct ui *ui)
{
	static const int numbers[UI_COLOR__MAX] = {
		[UI_PLAIN] = 0,	  [UI_BOLD] = 1,   [UI_RED] = 31,
		[UI_YELLOW] = 33, [UI_GREEN] = 32, [UI_DIM] = 2,
	};
	uint64_t number;
	struct sys sys;

	sys_init(&sys);
	if (sys.random(&sys, &number, sizeof(number), NULL))
		return false;
	(void)snprintf(ui->mark, sizeof(ui->mark), ";%" PRIu64 "m", number);
	for (size_t i = 0; i < UI_COLOR__MAX; i++)
		(void)snprintf(ui->colors[i], UI_COLOR_SIZE, "\033[%d%s", numbers[i], ui->mark);
	return true;
}

void ui_init(struct ui *ui)
{
	const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");
	bool dumb = !term || !strcmp(term, "dumb"), colors;

	*ui = (struct ui){0};
	buf_init(&ui->out, OUT_MAX);
	colors = !dumb && (!no_color || !no_color[0]) && make_colors(ui);
	ui->progress = isatty(STDERR_FILENO) && !dumb;
	ui->color_err = isatty(STDERR_FILENO) && colors;
	ui->out_tty = isatty(STDOUT_FILENO);
	ui->color_out = ui->out_tty && colors;
	ui->ask = isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
	ui->log = (struct log){line, progress, output, ui, ui->color_err};
}

__attribute__((format(printf, 3, 0))) static void vput(struct ui *ui, FILE *file, const char *fmt,
						       va_list ap)
{
	char *text = str_vfmt(fmt, ap);

	if (!text)
		return;
	put(ui, file, text);
	free(text);
}

/* Sentences: broken between words where they go to a terminal. */
__attribute__((format(printf, 4, 0))) static void vput_prose(struct ui *ui, FILE *file,
							     size_t indent, const char *fmt,
							     va_list ap)
{
	char *text = str_vfmt(fmt, ap);
	/* Where it is none the kernel need not say so for each line. */
	size_t columns = file == stdout && !ui->out_tty ? 0 : width_of(file);
	struct buf wrapped;

	if (!text)
		return;
	buf_init(&wrapped, BUF_TEXT_MAX);
	wrap_add(&wrapped, text, columns, indent ? indent : strspn(text, " ") + 2);
	put(ui, file, wrapped.data);
	buf_release(&wrapped);
	free(text);
}

void ui_out(struct ui *ui, const char *fmt, ...)
{
	va_list ap;

	end_line(ui);
	va_start(ap, fmt);
	vput(ui, stdout, fmt, ap);
	va_end(ap);
}

void ui_prose(struct ui *ui, size_t indent, const char *fmt, ...)
{
	va_list ap;

	end_line(ui);
	va_start(ap, fmt);
	vput_prose(ui, stdout, indent, fmt, ap);
	va_end(ap);
}

void ui_say(struct ui *ui, const char *fmt, ...)
{
	va_list ap;

	end_line(ui);
	va_start(ap, fmt);
	vput_prose(ui, stderr, 0, fmt, ap);
	va_end(ap);
	(void)fputc('\n', stderr);
}

void ui_error(struct ui *ui, const struct err *err)
{
	flush_out(ui);
	ui_say(ui, "%scertrotate: %s%s", color(ui, ui->color_err, UI_RED), err->msg,
	       color(ui, ui->color_err, UI_PLAIN));
	if (err->hint[0])
		ui_say(ui, "HINT: %s", err->hint);
}

static void put_group(struct ui *ui, const struct finding_group *group)
{
	static const enum ui_color colors[SEVERITY__MAX] = {
		[SEVERITY_INFO] = UI_DIM,
		[SEVERITY_WARNING] = UI_YELLOW,
		[SEVERITY_BLOCK] = UI_RED,
	};
	const struct finding *finding = group->first;
	char names[NAMES_SIZE];

	strs_join(&group->subjects, NAMES_SHOWN, names, sizeof(names));
	ui_say(ui, "%s%s%s %s %s: %s", color(ui, ui->color_err, colors[finding->severity]),
	       finding->waived ? "waived" : severity_name(finding->severity),
	       color(ui, ui->color_err, UI_PLAIN), finding->check, names, finding->reason);
}

static bool one_check(const struct finding *a, const struct finding *b)
{
	return a->severity == b->severity && !strcmp(a->check, b->check) &&
	       !strcmp(a->advice, b->advice);
}

/* Groups of one check, worst first; the advice that they share comes behind them once. */
static size_t put_groups(struct ui *ui, const struct finding_group *groups, size_t count)
{
	const struct finding *first = groups[0].first;
	size_t alike = 1, more = 0;

	while (alike < count && one_check(first, groups[alike].first))
		alike++;
	for (size_t i = 0; i < alike; i++) {
		if (i < GROUPS_SHOWN || ui->verbose)
			put_group(ui, &groups[i]);
		else
			more += groups[i].subjects.count;
	}
	if (more)
		ui_say(ui, "  and %zu more of %s (-v and --json show all)", more, first->check);
	if (first->advice[0])
		ui_say(ui, "  HINT: %s", first->advice);
	return alike;
}

size_t ui_findings(struct ui *ui, const struct findings *findings)
{
	struct finding_groups groups;
	size_t hidden = 0;

	flush_out(ui);
	end_line(ui);
	if (findings_group(&groups, findings, NULL))
		return findings_count(findings, SEVERITY_BLOCK);
	for (size_t i = 0; i < groups.count;) {
		const struct finding_group *group = &groups.items[i];

		if (group->first->severity > SEVERITY_INFO || ui->verbose) {
			i += put_groups(ui, group, groups.count - i);
		} else {
			hidden += group->subjects.count;
			i++;
		}
	}
	if (hidden && !ui->quiet)
		ui_say(ui, "%s(-v shows %zu more that %s merely worth knowing)%s",
		       color(ui, ui->color_err, UI_DIM), hidden, hidden == 1 ? "is" : "are",
		       color(ui, ui->color_err, UI_PLAIN));
	findings_group_release(&groups);
	return findings_count(findings, SEVERITY_BLOCK);
}

bool ui_confirm(struct ui *ui, const char *question)
{
	struct pollfd person = {.fd = STDIN_FILENO, .events = POLLIN};
	sigset_t stops, usual;
	char answer[16];
	bool answered;

	end_line(ui);
	if (!ui->ask)
		return false;
	flush_out(ui);
	/* Ctrl-C at the question is an answer, also in the moment in which it is asked. */
	(void)sigemptyset(&stops);
	(void)sigaddset(&stops, SIGINT);
	(void)sigaddset(&stops, SIGTERM);
	(void)sigaddset(&stops, SIGHUP);
	(void)pthread_sigmask(SIG_BLOCK, &stops, &usual);
	put(ui, stderr, question);
	(void)fputs(" [y/N] ", stderr);
	(void)fflush(stderr);
	answered = ppoll(&person, 1, NULL, &usual) > 0;
	(void)pthread_sigmask(SIG_SETMASK, &usual, NULL);
	if (!answered || !fgets(answer, sizeof(answer), stdin))
		return false;
	answer[strcspn(answer, "\n")] = '\0';
	return !strcasecmp(answer, "y") || !strcasecmp(answer, "yes");
}

int ui_json(struct ui *ui, struct json *value, struct err *err)
{
	struct buf text;
	int rc;

	ui_clear_progress(ui);
	buf_init(&text, BUF_TEXT_MAX);
	rc = js_dump(&text, value, true, err);
	if (!rc)
		put_out(ui, text.data, text.len);
	rc = rc ? rc : ui_flush(ui, err);
	buf_release(&text);
	js_free(value);
	return rc;
}

struct json *ui_findings_json(const struct findings *findings)
{
	struct json *array = js_new_array();

	for (size_t i = 0; i < findings->count; i++) {
		const struct finding *finding = &findings->items[i];
		struct json *object = js_new_object();

		(void)js_set_str(object, "check", finding->check);
		(void)js_set_str(object, "severity", severity_name(finding->severity));
		(void)js_set_str(object, "subject", finding->subject);
		(void)js_set_str(object, "reason", finding->reason);
		(void)js_set_str(object, "advice", finding->advice);
		(void)js_set_bool(object, "waived", finding->waived);
		(void)js_push(array, object);
	}
	return array;
}
