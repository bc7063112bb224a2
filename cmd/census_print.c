/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "cmd/census_view.h"

#define COLUMN	  12 /* where values stand */
#define NAMES_MAX 8  /* of a list in a line */
#define LINE_MAX  4096
#define HOUR	  INT64_C(3600)
#define DAY	  INT64_C(86400)

/* Sightings of one user, generation and kind: a run of view->sorted. */
struct group {
	const struct sighting *const *items;
	size_t count;
	size_t connected; /* the first so many are */
	size_t sessions;
	int64_t oldest, newest; /* logins of those that are connected */
};

static void ago(char *out, size_t size, const struct census_view *view, int64_t at)
{
	int64_t now = view->last ? view->last->at : at;

	census_age(out, size, now - at);
}

static struct group next_group(const struct census_view *view, size_t start)
{
	struct group group = {.items = view->sorted + start};
	const struct sighting *first = view->sorted[start];

	for (size_t i = start; i < view->census->sighting_count; i++) {
		const struct sighting *one = view->sorted[i];

		if (strcmp(one->user, first->user) != 0 ||
		    strcmp(one->generation, first->generation) != 0 || one->kind != first->kind)
			break;
		group.count++;
		if (!census_view_connected(view, one))
			continue;
		if (!group.connected || one->oldest_since < group.oldest)
			group.oldest = one->oldest_since;
		if (!group.connected || one->newest_since > group.newest)
			group.newest = one->newest_since;
		group.connected++;
		group.sessions += one->sessions;
	}
	return group;
}

/* "webshop from 10.0.4.50 on db1 (8), …": who they are. */
static void print_members(struct ui *ui, const struct sighting *const *items, size_t count,
			  size_t indent)
{
	struct buf line;

	buf_init(&line, LINE_MAX);
	for (size_t i = 0; i < count && i < NAMES_MAX; i++) {
		const struct sighting *one = items[i];

		const char *lent = one->leaf[0] && strcmp(one->leaf, one->user) != 0 ? one->leaf
										     : "";

		buf_addf(&line, "%s%s%s%s%s%s on %s (%zu%s%s)", i ? ", " : "",
			 one->replication      ? "replication "
			 : one->application[0] ? ""
					       : "no name",
			 one->application, one->address[0] ? " from " : "", one->address,
			 one->serial[0] || one->kind != CENSUS_CERTIFICATE ? "" : " of several",
			 one->server, one->sessions, lent[0] ? ", certificate of " : "", lent);
	}
	if (count > NAMES_MAX)
		buf_addf(&line, " and %zu more", count - NAMES_MAX);
	ui_prose(ui, indent, "%*s%s\n", (int)indent, "", line.data);
	buf_release(&line);
}

static bool is_current(const struct census_view *view, const struct sighting *sighting)
{
	return !strcmp(sighting->generation, view->run->generation);
}

/* What is known about those who should show another certificate by now. */
static void print_late(struct ui *ui, const struct census_view *view, const struct group *group)
{
	char since[32];

	if (!view->switched || is_current(view, group->items[0]))
		return;
	ago(since, sizeof(since), view, group->newest);
	if (group->newest >= view->switched)
		ui_prose(ui, COLUMN, "%*slogged in with it %s ago: it has not switched\n", COLUMN,
			 "", since);
	else
		ui_prose(
			ui, COLUMN,
			"%*sno login with it since the clients switched: these sessions are older, "
			"and keep it until they log in again\n",
			COLUMN, "");
}

static void print_user(struct ui *ui, const struct census_view *view, const struct group *group)
{
	const struct sighting *first = group->items[0];
	bool current = is_current(view, first);
	char when[32];

	if (group->connected) {
		ago(when, sizeof(when), view, group->oldest);
		ui_prose(ui, COLUMN, "  %s %s%s%s: %zu session%s, the oldest for %s\n", first->user,
			 ui_color(ui, current ? UI_GREEN : UI_YELLOW), first->generation,
			 ui_color(ui, UI_PLAIN), group->sessions, group->sessions == 1 ? "" : "s",
			 when);
		print_members(ui, group->items, group->connected, COLUMN);
		print_late(ui, view, group);
		return;
	}
	ago(when, sizeof(when), view, first->last_seen);
	ui_prose(ui, COLUMN, "  %s %s%s%s: none now; last seen %s ago on %s%s%s%s%s\n", first->user,
		 ui_color(ui, UI_DIM), first->generation, ui_color(ui, UI_PLAIN), when,
		 first->server, first->application[0] ? ", " : "", first->application,
		 first->address[0] ? " from " : "", first->address);
}

/* Those who are gone are of interest as long as prune asks for them. */
static bool is_recent(const struct census_view *view, const struct group *group)
{
	int64_t quiet = view->session->env->census_quiet;

	return group->connected ||
	       (view->last &&
		group->items[0]->last_seen >= view->last->at - (quiet > DAY ? quiet : DAY));
}

enum section { SECTION_CERTIFICATE, SECTION_UNKNOWN, SECTION_WITHOUT };

static enum section section_of(const struct sighting *sighting)
{
	if (sighting->kind != CENSUS_CERTIFICATE)
		return SECTION_WITHOUT;
	return strcmp(sighting->generation, CENSUS_UNKNOWN) != 0 ? SECTION_CERTIFICATE
								 : SECTION_UNKNOWN;
}

static void print_unknown(struct ui *ui, const struct group *group)
{
	const struct sighting *first = group->items[0];

	for (size_t i = 0; i < group->connected && i < NAMES_MAX; i++)
		ui_prose(ui, COLUMN, "  %s%s%s: serial %s\n", ui_color(ui, UI_RED), first->user,
			 ui_color(ui, UI_PLAIN),
			 group->items[i]->serial[0] ? group->items[i]->serial
						    : "numbers of several");
	print_members(ui, group->items, group->connected, COLUMN);
}

static void print_without(struct ui *ui, const struct group *group)
{
	static const char *const known[CENSUS_KIND__MAX] = {
		[CENSUS_NO_CERTIFICATE] =
			"TLS without a certificate; whether it verifies the server's "
			"is not known",
		[CENSUS_NO_TLS] = "no TLS",
		[CENSUS_LOCAL] = "over a socket, where no certificate is involved",
	};
	const struct sighting *first = group->items[0];

	ui_prose(ui, COLUMN, "  %s%s%s: %zu session%s, %s\n",
		 ui_color(ui, first->kind == CENSUS_LOCAL ? UI_DIM : UI_YELLOW), first->user,
		 ui_color(ui, UI_PLAIN), group->sessions, group->sessions == 1 ? "" : "s",
		 known[first->kind]);
	print_members(ui, group->items, group->connected, COLUMN);
}

static void print_section(struct ui *ui, const struct census_view *view, enum section section)
{
	static const char *const titles[] = {
		[SECTION_CERTIFICATE] = "by user and generation:",
		[SECTION_UNKNOWN] = "with a certificate that no generation that is kept has:",
		[SECTION_WITHOUT] = "without a certificate:",
	};
	bool title = false;
	struct group group;

	for (size_t i = 0; i < view->census->sighting_count; i += group.count) {
		group = next_group(view, i);
		if (section_of(group.items[0]) != section ||
		    !(section == SECTION_CERTIFICATE ? is_recent(view, &group)
						     : group.connected > 0))
			continue;
		if (!title)
			ui_out(ui, "\n%s\n", titles[section]);
		title = true;
		if (section == SECTION_CERTIFICATE)
			print_user(ui, view, &group);
		else if (section == SECTION_UNKNOWN)
			print_unknown(ui, &group);
		else
			print_without(ui, &group);
	}
}

static void print_crowds(struct ui *ui, const struct census_crowds *crowds, const char *title)
{
	char users[1024];

	if (crowds->count)
		ui_prose(ui, 2, "\n%s\n", title);
	for (size_t i = 0; i < crowds->count; i++) {
		const struct census_crowd *crowd = &crowds->items[i];

		strs_join(&crowd->users, NAMES_MAX, users, sizeof(users));
		ui_prose(ui, COLUMN, "  %s: %zu session%s of %s\n", crowd->name, crowd->sessions,
			 crowd->sessions == 1 ? "" : "s", users);
	}
}

static void print_unseen(struct ui *ui, const struct census_view *view)
{
	char users[LINE_MAX];

	if (!view->unseen.count || !view->last)
		return;
	strs_join(&view->unseen, 40, users, sizeof(users));
	ui_prose(ui, 2, "\nnever seen with %s (%zu of %zu users with a certificate):\n",
		 view->run->generation, view->unseen.count, view->run->users.count);
	ui_prose(ui, 2, "  %s\n", users);
}

/* "g1 12, g2 30, unknown 1, without certificate 2, local 3" */
static void sample_text(char *out, size_t size, const struct census_sample *sample)
{
	const struct {
		const char *name;
		size_t count;
	} others[] = {{"unknown", sample->by_unknown},
		      {"without certificate", sample->without},
		      {"local", sample->local}};
	size_t len = 0;

	out[0] = '\0';
	for (size_t i = 0; i < sample->count_count + 3 && len < size; i++) {
		const char *name = i < sample->count_count ? sample->counts[i].generation
							   : others[i - sample->count_count].name;
		size_t count = i < sample->count_count ? sample->counts[i].sessions
						       : others[i - sample->count_count].count;

		if (i < sample->count_count || count)
			len += (size_t)snprintf(out + len, size - len, "%s%s %zu", len ? ", " : "",
						name, count);
	}
	if (!len)
		(void)snprintf(out, size, "nobody");
}

/* The last sample that was made before that; NULL where there is none. */
static const struct census_sample *sample_before(const struct census *census, int64_t at)
{
	for (size_t i = census->sample_count; i > 0; i--) {
		if (census->samples[i - 1].at <= at)
			return &census->samples[i - 1];
	}
	return NULL;
}

static void print_trend(struct ui *ui, const struct census_view *view)
{
	static const int64_t ages[] = {0,	HOUR,	 HOUR * 6, DAY,	    DAY * 2,
				       DAY * 4, DAY * 7, DAY * 14, DAY * 30};
	const struct census_sample *shown = NULL;
	char text[512], when[32];

	if (view->census->sample_count < 2)
		return;
	ui_out(ui, "\ntrend (%zu samples):\n", view->census->sample_count);
	for (size_t i = 0; i < sizeof(ages) / sizeof(ages[0]); i++) {
		const struct census_sample *sample = sample_before(view->census,
								   view->last->at - ages[i]);

		/* In a record of an hour or two the one before tells more than nothing. */
		if (i == 1 && !sample)
			sample = &view->census->samples[view->census->sample_count - 2];
		if (!sample || sample == shown)
			continue;
		shown = sample;
		sample_text(text, sizeof(text), sample);
		ago(when, sizeof(when), view, sample->at);
		ui_prose(ui, COLUMN + 4, "  %-13s %s%s\n", i ? when : "now", text,
			 sample->answered < sample->servers ? " (not all servers)" : "");
	}
}

static void print_head(struct ui *ui, const struct census_view *view)
{
	const struct session *session = view->session;
	const struct census_run *run = view->run;
	char text[512];

	ui_prose(ui, COLUMN, "%s%s%s  %s: %s\n", ui_color(ui, UI_BOLD), session->env->name,
		 ui_color(ui, UI_PLAIN), state_name(session->store.state),
		 state_meaning(session->store.state));
	ui_prose(ui, COLUMN, "  servers   %zu asked, %s%zu answered%s\n", run->asked,
		 run->answered < run->asked ? ui_color(ui, UI_RED) : "", run->answered,
		 run->answered < run->asked ? ui_color(ui, UI_PLAIN) : "");
	if (view->last) {
		sample_text(text, sizeof(text), view->last);
		ui_prose(ui, COLUMN, "  sessions  %s\n", text);
	}
}

void census_print(struct ui *ui, const struct census_view *view)
{
	print_head(ui, view);
	if (!view->last)
		return;
	print_section(ui, view, SECTION_CERTIFICATE);
	print_section(ui, view, SECTION_UNKNOWN);
	print_section(ui, view, SECTION_WITHOUT);
	print_crowds(
		ui, &view->certificates,
		"with the certificate of another (a pooler, or a user name map); who is behind "
		"it, and what they show there, is not known:");
	print_crowds(ui, &view->addresses,
		     "several users behind one address (a pooler, or a host that they share):");
	print_unseen(ui, view);
	print_trend(ui, view);
}

static size_t sessions_of(const struct census_sample *sample, const char *generation)
{
	for (size_t i = 0; i < sample->count_count; i++) {
		if (!strcmp(sample->counts[i].generation, generation))
			return sample->counts[i].sessions;
	}
	return 0;
}

/* What has changed since then: "g1 40, g2 0"; "" for nothing. */
static void changes_since(char *out, size_t size, const struct census_sample *then,
			  const struct census_sample *last)
{
	const struct census_sample *const both[] = {then, last};
	size_t len = 0;

	out[0] = '\0';
	for (size_t s = 0; s < 2; s++) {
		for (size_t i = 0; i < both[s]->count_count && len < size; i++) {
			const char *generation = both[s]->counts[i].generation;
			size_t before = sessions_of(then, generation);

			if (before != sessions_of(last, generation) && (!s || !before))
				len += (size_t)snprintf(out + len, size - len, "%s%s %zu",
							len ? ", " : "", generation, before);
		}
	}
}

/* The sample to compare with: a day before the last one, else the first of all. */
static const struct census_sample *compared(const struct census *census)
{
	const struct census_sample *last = &census->samples[census->sample_count - 1];
	const struct census_sample *then = sample_before(census, last->at - DAY);

	return then ? then : &census->samples[0];
}

void census_summary(char *out, size_t size, const struct census *census, int64_t now)
{
	const struct census_sample *last, *then;
	char text[512], when[32], earlier[32], was[512];

	out[0] = '\0';
	if (!census->sample_count)
		return;
	last = &census->samples[census->sample_count - 1];
	then = compared(census);
	sample_text(text, sizeof(text), last);
	changes_since(was, sizeof(was), then, last);
	census_age(when, sizeof(when), now - last->at);
	census_age(earlier, sizeof(earlier), now - then->at);
	(void)snprintf(out, size, "%s (%s ago%s%s%s%s)", text, when, was[0] ? "; " : "",
		       was[0] ? earlier : "", was[0] ? " ago: " : "", was);
}
