/* SPDX-License-Identifier: PostgreSQL */
/*
 * certrotate without the handshakes of its proof, to tell what "plan" takes besides them: linked
 * with -Wl,--wrap=proof_run.
 */
#include "safety/proof.h"

int __real_proof_run(struct proof_result *result, const struct proof_input *in, struct err *err);
int __wrap_proof_run(struct proof_result *result, const struct proof_input *in, struct err *err);

int __wrap_proof_run(struct proof_result *result, const struct proof_input *in, struct err *err)
{
	struct proof_input without = *in;

	without.no_handshakes = true;
	return __real_proof_run(result, &without, err);
}
