/* SPDX-License-Identifier: PostgreSQL */
/*
 * The reports that playbooks leave of their hosts: any JSON object, read by all who judge one: the
 * look at the files, the census through Ansible, and the canary. A host that is none of
 * certrotate's making brings a report that says anything.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "state/canary.h"
#include "state/census_internal.h"
#include "state/issue.h"
#include "state/target.h"
#include "state/verify_hosts.h"

#define NOW 1795224600

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char description[] = "subject: {CN: postgres}\nkey: ecdsa-p256\nintermediates:\n"
				  "- {name: server, servers: {db1: []}}\n"
				  "- {name: client, clients: [app]}\n";

/* What lasts from one input to the next. */
static struct {
	struct sys sys;
	struct arena *arena;
	struct chain_desc *chain;
	struct generation gen;
	struct target target;
	bool ready;
} world;

static void must(bool condition)
{
	if (!condition)
		abort();
}

static void set_up(void)
{
	struct err err = {0};
	struct issue_options options = {.id = "g1", .sys = &world.sys};

	sys_init(&world.sys);
	world.arena = options.arena = arena_new((size_t)1 << 20);
	must(world.arena && !chain_parse(&world.chain, description, sizeof(description) - 1,
					 "chain.yml", "/", NULL, &err));
	options.chain = world.chain;
	must(!generation_issue(&world.gen, &options, &err));
	must(!target_init(&world.target, STATE_IDLE, &world.gen, NULL, &err));
	world.ready = true;
}

/* Nothing in it moves a cursor, or ends the line that it is shown in. */
static void must_be_plain(const char *text)
{
	size_t len = strlen(text);

	while (len) {
		uint32_t number;
		size_t bytes = utf8_get(&number, text, len);

		must(bytes && !utf8_is_harmful(number));
		text += bytes;
		len -= bytes;
	}
}

static void judge_files(const struct reports *reports)
{
	struct verify_result result = {.evidence = js_new_object()};
	struct verify_input in = {.target = &world.target, .new_gen = &world.gen};
	struct err err = {0};

	must(!hosts_judge(&result, reports, &in, &err));
	for (size_t i = 0; i < result.findings.count; i++)
		must_be_plain(result.findings.items[i].reason);
	verify_release(&result);
}

static void judge_canary(const struct reports *reports)
{
	struct canary_news news;
	struct err err = {0};

	must(!canary_judge(&news, reports, NOW - 600, NOW - 300, &err));
	canary_news_release(&news);
}

static void take_census(struct reports *reports)
{
	struct census_index *index = NULL;
	struct census_asked asked = {.items = NULL};
	struct census census = CENSUS_INIT;
	struct err err = {0};

	must(census_new_server(&asked, "db1", "10.0.0.1", 5432) != NULL);
	asked.reports = *reports;
	*reports = (struct reports){.items = NULL};
	must(!census_take_reports(&asked, NOW, &err));
	must(!census_index_new(&index, &err) && !census_begin(&census, NOW, &err));
	for (size_t i = 0; i < asked.count; i++) {
		const struct census_server *server = &asked.items[i];

		for (size_t j = 0; j < server->count && !server->why; j++)
			must(!census_add(&census, index, server->label, &server->sessions[j],
					 &err));
	}
	census_index_free(index);
	census_release(&census);
	census_asked_release(&asked);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reports reports = {.items = calloc(1, sizeof(struct report)), .count = 1};
	struct json *value = NULL;

	if (!world.ready)
		set_up();
	must(reports.items != NULL);
	if (js_parse(&value, (const char *)data, size, "its report", NULL) ||
	    !js_is_object(value)) {
		js_free(value);
		free(reports.items);
		return 0;
	}
	reports.items[0].host = strdup("db1");
	reports.items[0].value = value;
	judge_files(&reports);
	judge_canary(&reports);
	take_census(&reports);
	reports_release(&reports);
	return 0;
}
