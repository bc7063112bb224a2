/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>

#include "cmd/commands.h"
#include "state/table.h"

static int print_json(struct ui *ui, const struct transition *rows, size_t count, struct err *err)
{
	struct json *root = js_new_object(), *list = js_new_array();

	for (size_t i = 0; i < count; i++) {
		const struct transition *row = &rows[i];
		struct json *object = js_new_object();

		(void)js_set_str(object, "from", state_name(row->from));
		(void)js_set_str(object, "event", event_name(row->event));
		if (row->refusal) {
			(void)js_set_str(object, "refused", row->refusal);
		} else {
			(void)js_set_str(object, "to", state_name(row->to));
			(void)js_set_str(object, "phase", phase_name(row->phase));
			(void)js_set_str(object, "direction", direction_name(row->direction));
		}
		(void)js_push(list, object);
	}
	(void)js_set_int(root, "version", 1);
	(void)js_set(root, "transitions", list);
	return ui_json(ui, root, err);
}

int cmd_states(const struct options *options, struct ui *ui, struct err *err)
{
	const struct transition *rows;
	size_t count;

	rows = table_rows(&count);
	if (options->json)
		return print_json(ui, rows, count, err);
	if (options->dot)
		ui_out(ui, "digraph certrotate {\n\trankdir=LR;\n");
	for (size_t i = 0; i < count; i++) {
		const struct transition *row = &rows[i];

		if (options->dot && !row->refusal)
			ui_out(ui, "\t\"%s\" -> \"%s\" [label=\"%s\"%s];\n", state_name(row->from),
			       state_name(row->to), event_name(row->event),
			       row->direction == DIRECTION_BACK ? ", style=dashed" : "");
		if (options->dot)
			continue;
		if (row->refusal)
			ui_prose(ui, 32, "%-17s %-13s refused: %s\n", state_name(row->from),
				 event_name(row->event), row->refusal);
		else
			ui_out(ui, "%-17s %-13s %-17s phase %s%s\n", state_name(row->from),
			       event_name(row->event), state_name(row->to), phase_name(row->phase),
			       row->direction == DIRECTION_BACK ? ", back" : "");
	}
	if (options->dot)
		ui_out(ui, "}\n");
	return 0;
}
