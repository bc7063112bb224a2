/* SPDX-License-Identifier: PostgreSQL */
#include "proc/recap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

void recap_init(struct recap *recap)
{
	memset(recap, 0, sizeof(*recap));
	buf_init(&recap->line, RECAP_LINE_MAX);
}

static void host_release(struct ansible_host *host)
{
	free(host->name);
	free(host->task);
	free(host->message);
}

void recap_release(struct recap *recap)
{
	for (size_t i = 0; i < recap->count; i++)
		host_release(&recap->hosts[i].host);
	free(recap->hosts);
	strmap_release(&recap->index);
	buf_release(&recap->line);
	memset(recap, 0, sizeof(*recap));
}

static void copy_text(char *out, size_t size, const char *text, size_t len)
{
	struct buf safe;

	buf_init(&safe, size * 4);
	buf_add_safe(&safe, text, len < size ? len : size);
	(void)snprintf(out, size, "%s", safe.data);
	buf_release(&safe);
}

static void set_text(char **slot, const char *text, size_t len, int *rc)
{
	char safe[ANSIBLE_TEXT_MAX];

	copy_text(safe, sizeof(safe), text, len);
	free(*slot);
	*slot = strdup(safe);
	if (!*slot)
		*rc = err_nomem(NULL);
}

static struct recap_host *add_host(struct recap *recap, const char *name)
{
	struct recap_host *host;

	if (recap->count == recap->cap) {
		size_t cap = recap->cap ? recap->cap * 2 : 16;
		struct recap_host *hosts = NULL;

		if (cap <= (size_t)2 * ANSIBLE_HOSTS_MAX)
			hosts = realloc(recap->hosts, cap * sizeof(*hosts));
		if (!hosts)
			return NULL;
		recap->hosts = hosts;
		recap->cap = cap;
	}
	host = &recap->hosts[recap->count];
	memset(host, 0, sizeof(*host));
	host->host.name = strdup(name);
	host->host.task = strdup("");
	host->host.message = strdup("");
	if (!host->host.name || !host->host.task || !host->host.message ||
	    strmap_put(&recap->index, name, recap->count, NULL)) {
		host_release(&host->host);
		return NULL;
	}
	recap->count++;
	return host;
}

static struct recap_host *get_host(struct recap *recap, const char *text, size_t len)
{
	char name[ANSIBLE_TEXT_MAX];
	struct recap_host *host;
	size_t at;

	copy_text(name, sizeof(name), text, len);
	if (strmap_get(&recap->index, name, &at))
		return &recap->hosts[at];
	host = add_host(recap, name);
	if (!host)
		recap->rc = recap->count < ANSIBLE_HOSTS_MAX ? err_nomem(NULL) : ERR_FAIL;
	return host;
}

/* "TASK [name] ****": the name ends with the last "] *". */
static bool is_banner(struct recap *recap, const char *line)
{
	static const char *const prefixes[] = {"TASK [", "RUNNING HANDLER [", "CLEANUP TASK ["};

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		const char *name = line + strlen(prefixes[i]);
		const char *end, *next;

		if (!str_starts(line, prefixes[i]))
			continue;
		end = strstr(name, "] *");
		while (end && (next = strstr(end + 1, "] *")) != NULL)
			end = next;
		copy_text(recap->task, sizeof(recap->task), name,
			  end ? (size_t)(end - name) : strlen(name));
		recap->task_number++;
		recap->open = 0;
		recap->done = 0;
		recap->in_recap = false;
		return true;
	}
	return false;
}

/* "[db1]" or "[db1 -> delegate]", at the '['; where it goes on, or NULL. */
static const char *host_label(struct recap_host **out, struct recap *recap, const char *text)
{
	const char *end = strchr(text, ']');
	const char *arrow = strstr(text, " -> ");

	if (*text != '[' || !end || end == text + 1)
		return NULL;
	*out = get_host(recap, text + 1, (size_t)((arrow && arrow < end ? arrow : end) - text - 1));
	return *out ? end + 1 : NULL;
}

static void set_done(struct recap *recap, struct recap_host *host)
{
	if (host->done_task == recap->task_number)
		return;
	host->done_task = recap->task_number;
	recap->done++;
	if (recap->done > recap->most)
		recap->most = recap->done;
}

/* Out of a module's result: what a person wants to read about the failure. */
static void say_result(struct buf *out, const struct json *result)
{
	const char *msg = js_str(result, "msg", "");
	const char *more = js_str(result, "stderr", "");

	if (!*more)
		more = js_str(result, "module_stderr", "");
	buf_adds(out, msg);
	if (*more && strcmp(more, msg) != 0)
		buf_addf(out, "%s%s", *msg ? ": " : "", more);
	for (size_t i = 0; i < out->len; i++) {
		if (out->data[i] == '\n' || out->data[i] == '\r')
			out->data[i] = ' ';
	}
	while (out->len && out->data[out->len - 1] == ' ')
		out->data[--out->len] = '\0';
}

static bool mentions_vault(const char *line)
{
	return strstr(line, "Decryption failed") || strstr(line, "no vault secrets") ||
	       strstr(line, "vault password file") || strstr(line, "vault-password-file") ||
	       strstr(line, "HMAC verification failed");
}

static void set_failure(struct recap *recap, struct recap_host *host, const char *rest)
{
	const char *text = strstr(rest, "=> {");
	struct json *result = NULL;
	struct buf said;

	recap->vault = recap->vault || mentions_vault(rest);
	buf_init(&said, RECAP_LINE_MAX);
	text = text ? text + 3 : rest;
	if (*text == '{' && js_parse(&result, text, strlen(text), "result", NULL) == 0)
		say_result(&said, result);
	if (!said.len)
		buf_adds(&said, text);
	set_text(&host->host.task, recap->task, strlen(recap->task), &recap->rc);
	set_text(&host->host.message, said.data, said.len, &recap->rc);
	js_free(result);
	buf_release(&said);
}

static bool is_result(struct recap *recap, const char *line)
{
	static const struct {
		const char *prefix;
		bool failure;
	} kinds[] = {{"ok: ", false},
		     {"changed: ", false},
		     {"skipping: ", false},
		     {"fatal: ", true},
		     {"failed: ", true}};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct recap_host *host = NULL;
		const char *rest;

		if (!str_starts(line, kinds[i].prefix))
			continue;
		rest = host_label(&host, recap, line + strlen(kinds[i].prefix));
		if (!rest)
			return false;
		set_done(recap, host);
		if (kinds[i].failure)
			set_failure(recap, host, rest);
		/* An item with line ends in it: "(item=a\nb) => {…}". */
		recap->open = kinds[i].failure && !strstr(rest, "=> ")
				      ? (size_t)(host - recap->hosts) + 1
				      : 0;
		return true;
	}
	return false;
}

static bool read_counts(struct ansible_host *host, const char *text)
{
	/* NOLINTNEXTLINE(cert-err34-c): nine digits fit */
	return sscanf(text,
		      " : ok=%9u changed=%9u unreachable=%9u failed=%9u skipped=%9u rescued=%9u "
		      "ignored=%9u",
		      &host->ok, &host->changed, &host->unreachable, &host->failed, &host->skipped,
		      &host->rescued, &host->ignored) >= 4;
}

/* "db1    : ok=1    changed=0    …"; a name may hold a colon (IPv6). */
static void recap_line(struct recap *recap, const char *line)
{
	const char *counts = strstr(line, " : ok=");
	const char *end = counts;
	struct ansible_host read = {0};
	struct recap_host *host;

	while (end && end > line && end[-1] == ' ')
		end--;
	if (!counts || end == line || !read_counts(&read, counts))
		return;
	host = get_host(recap, line, (size_t)(end - line));
	if (!host)
		return;
	host->listed = true;
	read.name = host->host.name;
	read.task = host->host.task;
	read.message = host->host.message;
	host->host = read;
}

static void start_recap(struct recap *recap)
{
	for (size_t i = 0; i < recap->count; i++)
		recap->hosts[i].listed = false;
	recap->in_recap = recap->seen_recap = true;
}

static void take_line(struct recap *recap)
{
	const char *line = recap->line.data;

	if (is_banner(recap, line) || is_result(recap, line))
		return;
	if (str_starts(line, "PLAY RECAP **")) {
		start_recap(recap);
	} else if (str_starts(line, "PLAY [") || str_starts(line, "PLAY **")) {
		recap->in_recap = false;
	} else if (str_starts(line, "ERROR! ") || str_starts(line, "ERROR: ") ||
		   str_starts(line, "[ERROR]: ")) {
		recap->vault = recap->vault || mentions_vault(line);
		line = strchr(line, ' ') + 1;
		copy_text(recap->error, sizeof(recap->error), line, strlen(line));
	} else if (recap->open && strstr(line, "=> {")) {
		set_failure(recap, &recap->hosts[recap->open - 1], line);
		recap->open = 0;
	} else if (recap->in_recap) {
		recap_line(recap, line);
	}
}

void recap_feed(struct recap *recap, const char *data, size_t len)
{
	while (len) {
		const char *newline = memchr(data, '\n', len);
		size_t piece = newline ? (size_t)(newline - data) : len;
		size_t space = recap->line.max - recap->line.len;

		buf_add(&recap->line, data, piece < space ? piece : space);
		if (newline) {
			take_line(recap);
			buf_reset(&recap->line);
			piece++;
		}
		data += piece;
		len -= piece;
	}
}

void recap_end(struct recap *recap)
{
	if (recap->line.len)
		take_line(recap);
	buf_reset(&recap->line);
}

static int by_name(const void *a, const void *b)
{
	const struct ansible_host *x = a, *y = b;

	return strcmp(x->name, y->name);
}

int recap_take(struct ansible_result *out, struct recap *recap, struct err *err)
{
	if (recap->rc == ERR_MACHINE)
		return err_nomem(err);
	if (recap->rc)
		return err_set(err, ERR_FAIL, "ansible named more than %d hosts",
			       ANSIBLE_HOSTS_MAX);
	out->hosts = calloc(recap->count + 1, sizeof(*out->hosts));
	if (!out->hosts)
		return err_nomem(err);
	for (size_t i = 0; i < recap->count; i++) {
		if (!recap->hosts[i].listed)
			continue;
		out->hosts[out->count++] = recap->hosts[i].host;
		memset(&recap->hosts[i].host, 0, sizeof(recap->hosts[i].host));
	}
	qsort(out->hosts, out->count, sizeof(*out->hosts), by_name);
	return 0;
}

void ansible_result_release(struct ansible_result *result)
{
	for (size_t i = 0; i < result->count; i++)
		host_release(&result->hosts[i]);
	free(result->hosts);
	memset(result, 0, sizeof(*result));
}
