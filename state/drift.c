/* SPDX-License-Identifier: PostgreSQL */
#include "state/drift.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "git/commit.h"
#include "state/holdings_match.h"

#define NAMED_MAX 5
#define TEXT_MAX  ((size_t)4096)

#define ADVICE_BACK                                                                                \
	"take the value back ('git log -p -- %s' shows what it was), commit and push that, then "  \
	"type the same again"

/* ---- where, and who */

static const char *file_of(const struct drift_input *in, enum certs_kind kind)
{
	return kind == CERTS_KEY ? holdings_keys(in->holdings)->path : in->holdings->certs.path;
}

/* "; changed by A DBA in 1234567890 (2026-11-21)"; nothing where git does not tell. */
static void add_who(struct buf *out, const struct drift_input *in, const char *path)
{
	struct session *session = in->session;
	struct buf who;

	buf_init(&who, TEXT_MAX);
	if (!commit_who_changed(&who, session->repo, &session->base, path, NULL) && who.len) {
		buf_addf(out, "; the file was changed by %s", who.data);
	} else if (!commit_who_changed(&who, session->repo, &session->base, session->state_path,
				       NULL) &&
		   who.len) {
		buf_addf(out, "; %s was changed by %s", session->state_path, who.data);
	}
	buf_release(&who);
}

static int add(struct findings *out, const struct drift_input *in, const struct difference *about,
	       const char *reason, const char *advice, struct err *err)
{
	const char *path = file_of(in, about->kind);
	char *subject = str_fmt("%s.%s.%s", about->kind == CERTS_KEY ? KEYS_ROOT : CERTS_ROOT,
				about->authority, about->name);
	struct buf text;
	int rc;

	buf_init(&text, TEXT_MAX);
	buf_adds(&text, path);
	if (about->entry)
		buf_addf(&text, ":%zu", about->entry->line);
	buf_addf(&text, ": %s (state %s)", reason, state_name(in->target->state));
	add_who(&text, in, path);
	rc = subject ? buf_check(&text, "drift", err) : err_nomem(err);
	rc = rc ? rc
		: findings_add(out, "drift", SEVERITY_BLOCK, subject, advice, err, "%s", text.data);
	buf_release(&text);
	free(subject);
	return rc;
}

int drift_add(struct findings *out, const struct drift_input *in, const struct difference *about,
	      const char *advice, struct err *err, const char *reason, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, reason);
	(void)vsnprintf(text, sizeof(text), reason, ap);
	va_end(ap);
	return add(out, in, about, text, advice, err);
}

/* ---- what a value is */

static const struct generation *signer(const struct drift_input *in, const char *authority,
				       const struct cert *cert)
{
	const struct generation *gens[] = {in->target->old_gen, in->target->new_gen};

	for (size_t g = 0; g < 2; g++) {
		const struct gen_authority *found =
			gens[g] ? generation_authority(gens[g], authority) : NULL;

		for (size_t i = 0; found && i < found->bundle.count; i++) {
			if (cert_issued_by(cert, found->bundle.items[i]))
				return gens[g];
		}
	}
	return NULL;
}

static void describe_leaf(struct buf *out, const struct drift_input *in,
			  const struct difference *about, const struct cert *cert)
{
	const struct generation *gens[] = {in->target->old_gen, in->target->new_gen};
	const struct gen_leaf *wanted = target_pick(in->target, about->authority, about->name);
	const struct generation *by = signer(in, about->authority, cert);

	for (size_t g = 0; g < 2; g++) {
		const struct gen_leaf *leaf =
			gens[g] ? generation_leaf(gens[g], about->authority, about->name) : NULL;

		if (!leaf || !cert_equal(leaf->cert, cert))
			continue;
		if (leaf == wanted)
			buf_addf(out, "generation %s's certificate, with other ones around it",
				 gens[g]->id);
		else
			buf_addf(out,
				 "generation %s's certificate, where the state says the "
				 "other one's",
				 gens[g]->id);
		return;
	}
	buf_addf(out, "another certificate ('%s', serial %s), put there by hand, ",
		 cert_subject(cert), cert_serial_hex(cert));
	if (by)
		buf_addf(out, "signed by generation %s's '%s'", by->id, cert_issuer(cert));
	else
		buf_addf(out, "signed by '%s', which nobody here trusts", cert_issuer(cert));
}

static void add_cert_names(struct buf *out, const char *what, const struct bundle *from,
			   const struct bundle *lacking)
{
	size_t count = 0;

	for (size_t i = 0; i < from->count; i++) {
		if (bundle_contains(lacking, from->items[i]))
			continue;
		if (!count++)
			buf_addf(out, "%s%s '%s'", out->len ? " and " : "", what,
				 cert_subject(from->items[i]));
	}
	if (count > 1)
		buf_addf(out, " and %zu more", count - 1);
}

static void describe_chain(struct buf *out, const struct difference *about,
			   const struct bundle *bundle)
{
	struct bundle wanted = BUNDLE_INIT;
	struct buf text;

	buf_init(&text, TEXT_MAX);
	if (!bundle_from_pem(&wanted, about->wanted.text, about->wanted.len, "", NULL)) {
		add_cert_names(&text, "lacks", &wanted, bundle);
		add_cert_names(&text, "has in addition", bundle, &wanted);
	}
	buf_addf(out, "a bundle that %s",
		 text.len ? text.data : "has its certificates in another order, or twice");
	buf_release(&text);
	bundle_release(&wanted);
}

static void describe_key(struct buf *out, const struct drift_input *in,
			 const struct difference *about)
{
	const struct generation *gens[] = {in->target->old_gen, in->target->new_gen};
	const struct gen_leaf *wanted = target_pick(in->target, about->authority, about->name);
	struct secret pem = {0};
	struct key *key = NULL;

	if (holdings_read_key(&pem, in->holdings, about->entry, NULL) ||
	    key_from_pem(&key, &pem, "", NULL)) {
		buf_adds(out, "no private key");
		goto out;
	}
	for (size_t g = 0; g < 2; g++) {
		const struct gen_leaf *leaf =
			gens[g] ? generation_leaf(gens[g], about->authority, about->name) : NULL;

		if (leaf && leaf != wanted && key_matches(key, leaf->cert)) {
			buf_addf(out, "generation %s's key, where the state says the other one's",
				 gens[g]->id);
			goto out;
		}
	}
	if (wanted && key_matches(key, wanted->cert))
		buf_adds(out, "the right key, written in another form");
	else
		buf_adds(out, "another key, put there by hand: it does not fit the certificate");
out:
	key_free(key);
	secret_wipe(&pem);
}

static void describe(struct buf *out, const struct drift_input *in, const struct difference *about)
{
	const struct certs_entry *entry = about->entry;
	struct bundle bundle = BUNDLE_INIT;
	struct err err = {0};

	if (about->kind == CERTS_KEY) {
		describe_key(out, in, about);
		return;
	}
	if (strstr(entry->value, "{{") || strstr(entry->value, "{%"))
		buf_adds(out, "a template, which only Ansible can read");
	else if (bundle_from_pem(&bundle, entry->value, entry->len, "", &err))
		buf_addf(out, "no list of certificates: %s", err.msg + strspn(err.msg, ": "));
	else if (about->kind == CERTS_CHAIN)
		describe_chain(out, about, &bundle);
	else
		describe_leaf(out, in, about, bundle.items[0]);
	bundle_release(&bundle);
}

/* ---- the findings */

struct looking {
	struct findings *out;
	const struct drift_input *in;
	size_t count;
};

static bool is_spared(const struct drift_input *in, const struct difference *about)
{
	char *key = in->spared && about->kind != CERTS_CHAIN
			    ? str_fmt("%s/%s", about->authority, about->name)
			    : NULL;
	bool spared = key && strmap_get(in->spared, key, NULL);

	free(key);
	return spared;
}

static int count_one(void *ctx, const struct difference *about, struct err *err)
{
	struct looking *looking = ctx;

	(void)err;
	looking->count += !is_spared(looking->in, about);
	return 0;
}

static bool is_known_authority(const struct drift_input *in, const char *authority)
{
	return generation_authority(in->target->old_gen, authority) ||
	       (in->target->new_gen && generation_authority(in->target->new_gen, authority));
}

static int look_at(void *ctx, const struct difference *about, struct err *err)
{
	struct looking *looking = ctx;
	const struct drift_input *in = looking->in;
	const char *path = file_of(in, about->kind);
	char advice[1024];
	struct buf text;
	int rc;

	/* The first ones say it all; the others only count. */
	if (is_spared(in, about) || looking->count++ >= NAMED_MAX)
		return 0;
	(void)snprintf(advice, sizeof(advice), ADVICE_BACK, path);
	buf_init(&text, TEXT_MAX);
	if (!about->entry && about->kind == CERTS_CHAIN) {
		buf_adds(&text, "the inventory has no bundle for it any more");
	} else if (!about->entry) {
		buf_adds(&text, "the rotation under way has it, the inventory does not");
		(void)snprintf(advice, sizeof(advice),
			       "put it back; where the host or user is to go, take it out of %s "
			       "and of both files of the inventory, commit and push that",
			       in->session->env->chain);
	} else if (!about->wanted.present) {
		buf_adds(&text, "added while a rotation is under way");
		if (is_known_authority(in, about->authority))
			(void)snprintf(advice, sizeof(advice),
				       "take it out until the rotation has ended, or put the host "
				       "or user into %s: then it gets its certificates with the "
				       "next phase",
				       in->session->env->chain);
		else
			(void)snprintf(advice, sizeof(advice),
				       "take %s out until the rotation has ended: a new authority "
				       "is for the next one",
				       about->authority);
	} else {
		buf_adds(&text, "not what the state says it is: ");
		describe(&text, in, about);
	}
	rc = add(looking->out, in, about, text.len ? text.data : "", advice, err);
	buf_release(&text);
	return rc;
}

/* The state of the same rotation of which the inventory is the exact image; STATE__MAX: none. */
static int find_other_state(enum state *out, const struct drift_input *in, struct err *err)
{
	const struct target *target = in->target;
	int rc = 0;

	*out = STATE__MAX;
	for (int s = STATE_GENERATED; s <= STATE_CLIENTS_SWITCHED && !rc && target->new_gen; s++) {
		struct drift_input other = *in;
		struct looking looking = {.in = &other};
		struct target image;

		if (s == (int)target->state)
			continue;
		rc = target_init(&image, (enum state)s, target->old_gen, target->new_gen, err);
		if (rc)
			break;
		image.absent = target->absent;
		other.target = &image;
		rc = holdings_each_difference(in->holdings, &image, count_one, &looking, err);
		target_release(&image);
		if (!rc && !looking.count) {
			*out = (enum state)s;
			break;
		}
	}
	return rc;
}

static int say_other_state(struct findings *out, const struct drift_input *in, enum state other,
			   struct err *err)
{
	const char *path = in->holdings->certs.path;
	struct buf text;
	int rc;

	buf_init(&text, TEXT_MAX);
	buf_addf(&text,
		 "the inventory is as '%s' says, and %s says '%s': a commit of certrotate was "
		 "taken back by hand, a merge kept an older side, or the state was edited",
		 state_name(other), in->session->state_path, state_name(in->target->state));
	add_who(&text, in, path);
	rc = buf_check(&text, "drift", err);
	rc = rc ? rc
		: findings_add(out, "drift", SEVERITY_BLOCK, path,
			       "undo that commit ('git revert COMMIT') and push it; a phase is "
			       "taken back with 'certrotate revert' alone, which also rolls out",
			       err, "%s", text.data);
	buf_release(&text);
	return rc;
}

int drift_look(struct findings *out, const struct drift_input *in, struct err *err)
{
	struct looking counting = {.in = in}, looking = {.out = out, .in = in};
	enum state other = STATE__MAX;
	int rc = holdings_each_difference(in->holdings, in->target, count_one, &counting, err);

	if (rc || !counting.count)
		return rc;
	rc = find_other_state(&other, in, err);
	if (!rc && other != STATE__MAX)
		return say_other_state(out, in, other, err);
	rc = rc ? rc : holdings_each_difference(in->holdings, in->target, look_at, &looking, err);
	if (!rc && looking.count > NAMED_MAX)
		rc = findings_add(out, "drift", SEVERITY_BLOCK, in->holdings->certs.path,
				  "'git log -p' shows them all", err,
				  looking.count == NAMED_MAX + 1
					  ? "%zu more value is not what the state says"
					  : "%zu more values are not what the state says",
				  looking.count - NAMED_MAX);
	return rc;
}

int drift_refuse(const struct findings *drift, struct err *err)
{
	const struct finding *first = drift->count ? &drift->items[0] : NULL;
	struct strs others = STRS_INIT;
	char names[512];

	if (!first)
		return 0;
	for (size_t i = 1; i < drift->count; i++)
		(void)strs_add_unique(&others, drift->items[i].subject, NULL);
	strs_join(&others, NAMED_MAX, names, sizeof(names));
	err_set(err, ERR_DRIFT, "%s: %s%s%s", first->subject, first->reason,
		others.count ? "; and others: " : "", others.count ? names : "");
	strs_release(&others);
	return err_hint(err, "%s", first->advice);
}
