/* SPDX-License-Identifier: PostgreSQL */
#include "state/behind.h"

#include <string.h>

/* A waiver may have named it as it was typed: "db3" for db3.example.com. */
static bool names_host(const char *waived, const char *host)
{
	size_t len = strlen(waived);

	return len && !strncmp(waived, host, len) && (!host[len] || host[len] == '.');
}

static bool left_out(const struct json *entry, const char *host)
{
	const struct json *waivers = js_get(entry, "waivers");

	for (size_t i = 0; i < js_count(waivers); i++) {
		const struct json *waiver = js_at(waivers, i);

		if (!strcmp(js_str(waiver, "gate", ""), "hosts") &&
		    names_host(js_str(waiver, "subject", ""), host))
			return true;
	}
	return false;
}

enum state behind_state(const struct store *store, const char *host)
{
	enum state held = STATE__MAX;

	for (size_t i = js_count(store->history); i > 0; i--) {
		const struct json *entry = js_at(store->history, i - 1);

		enum phase phase = phase_parse(js_str(entry, "phase", ""));

		if (!phase_rolls_out(phase))
			continue;
		if (!left_out(entry, host))
			return held;
		/* it may have a chain that is no generation of today's */
		if (phase == PHASE_EMERGENCY)
			return STATE__MAX;
		if (strcmp(js_str(entry, "rotation", ""), store->rotation ? store->rotation : "") !=
		    0)
			return STATE_GENERATED;
		held = state_parse(js_str(entry, "from", ""));
		if (held == STATE__MAX)
			return held;
	}
	return held;
}
