/* SPDX-License-Identifier: PostgreSQL */
/*
 * PEM texts as people and tools leave them. Whatever the proof takes PostgreSQL and libpq have to
 * take whole; it is stricter than they are where they would pass over a part.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/differential/judge.h"
#include "tests/differential/random.h"
#include "tests/differential/traps.h"

static struct bed *bed;
static const struct scene *good;

/* Which files are written in the style. */
enum which { OF_LEAF, OF_KEY, OF_BUNDLE, WHICH__MAX };

static const char *const which_names[WHICH__MAX] = {"leaf", "key", "bundle"};

/* What nothing is wrong with: the proof may not refuse these. */
static bool is_sound(enum text_style style, enum which which)
{
	switch (style) {
	case STYLE_PLAIN:
	case STYLE_DOS:
	case STYLE_NO_LAST_NEWLINE:
	case STYLE_WORDS:
	case STYLE_DASHES:
	case STYLE_BLANKS_AT_END:
	case STYLE_EMPTY_LINES:
	case STYLE_WIDE:
		return true;
	case STYLE_X509_LABEL:
	case STYLE_TRUSTED_LABEL:
		return which == OF_KEY;
	case STYLE_INDENTED:
	case STYLE_EMPTY_LINE_LAST:
	case STYLE_ONE_LINE:
	case STYLE_BYTE_ORDER_MARK:
	case STYLE_MENTION:
	case STYLE_HEADER:
	case STYLE_GLUED:
	case STYLE__MAX:
		break;
	}
	return false;
}

/* Each certificate is needed, and in one file only: what is lost of a text is missed. */
static void write_texts(char *texts[WHICH__MAX], const struct scene *scene, enum text_style style,
			enum which which)
{
	const char *ca = scene->made[PROOF_NEW][RANK_CA].pem;
	const char *root = scene->made[PROOF_NEW][RANK_ROOT].pem;

	texts[OF_LEAF] = forge_join(scene->leaf[PROOF_NEW], which == OF_LEAF ? ca : "",
				    (char *)NULL);
	texts[OF_KEY] = strdup(scene->key[PROOF_NEW]);
	texts[OF_BUNDLE] = forge_join(which == OF_LEAF ? "" : ca, root, (char *)NULL);
	texts[which] = restyled(texts[which], style);
}

static bool really_works(enum verify_purpose purpose, char *const texts[WHICH__MAX])
{
	struct party server = {.leaf = good[VERIFY_SERVER].leaf[PROOF_NEW],
			       .key = good[VERIFY_SERVER].key[PROOF_NEW],
			       .bundle = good[VERIFY_CLIENT].bundle};
	struct login login = {0};
	char *refusal;

	if (purpose == VERIFY_SERVER) {
		server.leaf = texts[OF_LEAF];
		server.key = texts[OF_KEY];
		login.client.bundle = texts[OF_BUNDLE];
	} else {
		server.bundle = texts[OF_BUNDLE];
		login.client.leaf = texts[OF_LEAF];
		login.client.key = texts[OF_KEY];
	}
	refusal = bed_serve(bed, &server);
	free(refusal);
	if (refusal)
		return false;
	bed_login(bed, &login, 1);
	return login.ok;
}

START_TEST(what_the_proof_takes_works)
{
	enum text_style style = (enum text_style)(_i / WHICH__MAX);
	enum which which = (enum which)(_i % WHICH__MAX);

	for (int purpose = 0; purpose < VERIFY__MAX; purpose++) {
		char *texts[WHICH__MAX];
		struct claim claim;
		bool works;

		write_texts(texts, &good[purpose], style, which);
		judge(&claim, (enum verify_purpose)purpose, NULL, texts[OF_LEAF], texts[OF_KEY],
		      texts[OF_BUNDLE]);
		works = really_works((enum verify_purpose)purpose, texts);
		ck_assert_msg(works || !claim.ok, "%s, '%s': the proof takes it, and it fails",
			      which_names[which], style_name(style));
		if (is_sound(style, which))
			ck_assert_msg(claim.ok, "%s, '%s': the proof says %s", which_names[which],
				      style_name(style), claim.why);
		for (int i = 0; i < WHICH__MAX; i++)
			free(texts[i]);
	}
}
END_TEST

Suite *texts_suite(struct bed *real, const struct scene faultless[VERIFY__MAX])
{
	Suite *suite = suite_create("texts");
	TCase *tc = tcase_create("real");

	bed = real;
	good = faultless;
	tcase_add_loop_test(tc, what_the_proof_takes_works, 0, STYLE__MAX * WHICH__MAX);
	suite_add_tcase(suite, tc);
	return suite;
}
