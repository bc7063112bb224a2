/* SPDX-License-Identifier: PostgreSQL */
/* The commands. Each returns 0, a negative error code with err filled, or an exit code above 0. */
#ifndef CMD_COMMANDS_H
#define CMD_COMMANDS_H

#include "cmd/options.h"
#include "cmd/ui.h"

struct waivers;

/* A waiver that had no effect is said: one with a slip in its name must not pass for needed. */
void waivers_say_unused(struct ui *ui, const struct waivers *waivers);

int cmd_plan(const struct options *options, struct ui *ui, struct err *err);
int cmd_next(const struct options *options, struct ui *ui, struct err *err);
int cmd_revert(const struct options *options, struct ui *ui, struct err *err);
int cmd_status(const struct options *options, struct ui *ui, struct err *err);
int cmd_verify(const struct options *options, struct ui *ui, struct err *err);
int cmd_prove(const struct options *options, struct ui *ui, struct err *err);
int cmd_ack(const struct options *options, struct ui *ui, struct err *err);
int cmd_deliver(const struct options *options, struct ui *ui, struct err *err);
int cmd_census(const struct options *options, struct ui *ui, struct err *err);
int cmd_log(const struct options *options, struct ui *ui, struct err *err);
int cmd_check(const struct options *options, struct ui *ui, struct err *err);
int cmd_states(const struct options *options, struct ui *ui, struct err *err);

#endif
