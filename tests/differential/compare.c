/* SPDX-License-Identifier: PostgreSQL */
#include "tests/differential/compare.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/differential/judge.h"
#include "tests/differential/random.h"

#define PURPOSES VERIFY__MAX

/* What one login showed. */
struct seen {
	bool known;
	bool ok;
	char said[600];
};

enum { TLS13, TLS12, VERSIONS };

/* A combination of leaf and bundle. */
struct cell {
	struct claim claim;
	struct seen seen[VERSIONS];
};

struct mutual {
	size_t client_leaf, client_bundle; /* which of the two */
	bool tls12;
	struct seen seen;
};

struct comparison {
	struct pair_case pair;
	struct cell cells[PURPOSES][2][2]; /* leaf, bundle */
	struct mutual mutuals[2][2];	   /* the server's leaf, its bundle */
	const char *host;
	struct rng rng;
};

/* ---- the proof */

static void ask_proof(struct comparison *c)
{
	for (int p = 0; p < PURPOSES; p++)
		for (int g = 0; g < 2; g++)
			for (int b = 0; b < 2; b++)
				judge(&c->cells[p][g][b].claim, (enum verify_purpose)p,
				      c->pair.host, c->pair.leaf[p][g], c->pair.key[p][g],
				      c->pair.bundle[p][b]);
}

/* All four at once, as a phase is proven: blocked where one of them is, else not. */
static bool whole_agrees(const struct comparison *c, enum verify_purpose purpose, char *why,
			 size_t size)
{
	struct exam exam = {.purpose = purpose,
			    .hosts = {purpose == VERIFY_SERVER ? c->pair.host : NULL}};
	struct proof_result result;
	size_t pairwise = 0, expected = 0;

	for (int i = 0; i < 2; i++) {
		exam.leaf[i] = c->pair.leaf[purpose][i];
		exam.key[i] = c->pair.key[purpose][i];
		exam.bundle[i] = c->pair.bundle[purpose][i];
		for (int b = 0; b < 2; b++) {
			const struct claim *claim = &c->cells[purpose][i][b].claim;

			expected += !claim->ok && strncmp(claim->why, "client-name", 11) != 0;
		}
	}
	exam_run(&result, &exam);
	for (size_t i = 0; i < result.findings.count; i++) {
		const struct finding *finding = &result.findings.items[i];

		/* a successor may lose what each of the two alone has no need of */
		if (finding->severity != SEVERITY_BLOCK || !strncmp(finding->check, "leaf-", 5) ||
		    !strcmp(finding->check, "client-name"))
			continue;
		pairwise++;
		(void)snprintf(why, size, "%s: %s", finding->check, finding->reason);
	}
	proof_result_release(&result);
	return !pairwise == !expected;
}

/* ---- the real thing */

static void note_seen(struct seen *out, bool ok, const char *said)
{
	size_t len = strnlen(said, sizeof(out->said) - 1);

	out->known = true;
	out->ok = ok;
	memcpy(out->said, said, len);
	out->said[len] = '\0';
}

/* With the server's leaf sl: clients that hold each bundle, without a certificate of their own. */
static void show_server(struct comparison *c, struct bed *bed, struct tally *tally, size_t sl,
			bool tls12)
{
	struct login logins[2] = {0};

	for (size_t b = 0; b < 2; b++)
		logins[b] = (struct login){.client = {.bundle = c->pair.bundle[VERIFY_SERVER][b]},
					   .host = c->pair.host,
					   .tls12 = tls12};
	bed_login(bed, logins, 2);
	tally->logins += 2;
	for (size_t b = 0; b < 2; b++)
		note_seen(&c->cells[VERIFY_SERVER][sl][b].seen[tls12], logins[b].ok,
			  logins[b].said);
}

/* With the server's bundle sb: each client's leaf. They verify nothing. */
static void show_clients(struct comparison *c, struct bed *bed, struct tally *tally, size_t sb)
{
	struct login logins[2 * VERSIONS] = {0};

	for (size_t i = 0; i < 2 * VERSIONS; i++)
		logins[i] = (struct login){.client = {.leaf = c->pair.leaf[VERIFY_CLIENT][i % 2],
						      .key = c->pair.key[VERIFY_CLIENT][i % 2]},
					   .tls12 = i / 2 == TLS12};
	bed_login(bed, logins, 2 * VERSIONS);
	tally->logins += 2 * VERSIONS;
	for (size_t i = 0; i < 2 * VERSIONS; i++)
		note_seen(&c->cells[VERIFY_CLIENT][i % 2][sb].seen[i / 2], logins[i].ok,
			  logins[i].said);
}

static void show_both(struct comparison *c, struct bed *bed, struct tally *tally, size_t sl,
		      size_t sb)
{
	struct mutual *mutual = &c->mutuals[sl][sb];
	size_t leaf = rng_below(&c->rng, 2), bundle = rng_below(&c->rng, 2);
	struct login login = {.client = {.leaf = c->pair.leaf[VERIFY_CLIENT][leaf],
					 .key = c->pair.key[VERIFY_CLIENT][leaf],
					 .bundle = c->pair.bundle[VERIFY_SERVER][bundle]},
			      .host = c->pair.host,
			      .tls12 = rng_chance(&c->rng, 50)};

	bed_login(bed, &login, 1);
	tally->logins++;
	mutual->client_leaf = leaf;
	mutual->client_bundle = bundle;
	mutual->tls12 = login.tls12;
	note_seen(&mutual->seen, login.ok, login.said);
}

static char *serve(struct bed *bed, struct tally *tally, const struct party *server)
{
	tally->reloads++;
	return bed_serve(bed, server);
}

/*
 * PostgreSQL goes on with what it had, and would not start again: nobody gets in with these files.
 * The leaf's are the same with any bundle, and all versions.
 */
static void none_gets_in(struct comparison *c, enum verify_purpose purpose, size_t leaf,
			 size_t bundle, const char *log)
{
	const char *why = strstr(log, "could not load");

	for (size_t version = 0; version < VERSIONS; version++)
		note_seen(&c->cells[purpose][leaf][bundle].seen[version], false, why ? why : log);
}

/* A server without a fault, but for its bundle sb. */
static void try_clients(struct comparison *c, struct bed *bed, struct tally *tally,
			const struct party *good, size_t sb)
{
	const struct party server = {
		.leaf = good->leaf, .key = good->key, .bundle = c->pair.bundle[VERIFY_CLIENT][sb]};
	char *log = serve(bed, tally, &server);

	for (size_t i = 0; log && i < 2; i++)
		none_gets_in(c, VERIFY_CLIENT, i, sb, log);
	if (!log)
		show_clients(c, bed, tally, sb);
	free(log);
}

/* Each of its leaves is tried twice, beside each bundle: hence both versions. */
static void try_server(struct comparison *c, struct bed *bed, struct tally *tally,
		       const struct party *good, size_t sl, size_t sb)
{
	struct party server = {.leaf = c->pair.leaf[VERIFY_SERVER][sl],
			       .key = c->pair.key[VERIFY_SERVER][sl],
			       .bundle = c->pair.bundle[VERIFY_CLIENT][sb]};
	char *log = serve(bed, tally, &server);
	bool bad_bundle = log && strstr(log, "could not load root certificate file");

	if (bad_bundle) {
		free(log);
		server.bundle = good->bundle;
		log = serve(bed, tally, &server);
	}
	for (size_t i = 0; log && i < 2; i++)
		none_gets_in(c, VERIFY_SERVER, sl, i, log);
	if (!log)
		show_server(c, bed, tally, sl, sb == 1);
	if (!log && !bad_bundle)
		show_both(c, bed, tally, sl, sb);
	free(log);
}

static void ask_postgres(struct comparison *c, struct bed *bed, struct tally *tally,
			 const struct party *good)
{
	for (size_t i = 0; i < 2; i++)
		try_clients(c, bed, tally, good, i);
	for (size_t i = 0; i < 4; i++)
		try_server(c, bed, tally, good, i / 2, i % 2);
}

/* ---- both */

static void keep(const char *dir, const char *name, const char *text)
{
	char path[256];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "we");
	if (file && fputs(text, file) >= 0)
		(void)fclose(file);
}

static void keep_files(const struct comparison *c, const struct tally *tally)
{
	static const char *const sides[] = {"server", "client"};
	char dir[192], name[64];

	(void)snprintf(dir, sizeof(dir), "%s/differential-%llu", tally->dir,
		       (unsigned long long)c->pair.seed);
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return;
	for (int p = 0; p < PURPOSES; p++) {
		for (int i = 0; i < 2; i++) {
			(void)snprintf(name, sizeof(name), "%s-%s.crt", sides[p],
				       i ? "new" : "old");
			keep(dir, name, c->pair.leaf[p][i]);
			(void)snprintf(name, sizeof(name), "%s-%s.key", sides[p],
				       i ? "new" : "old");
			keep(dir, name, c->pair.key[p][i]);
			(void)snprintf(name, sizeof(name), "%ss-are-verified-with-%s.pem", sides[p],
				       c->pair.bundle_label[p][i]);
			keep(dir, name, c->pair.bundle[p][i]);
		}
	}
	(void)printf("  its files are in %s; again: --seed %llu --cases 1\n", dir,
		     (unsigned long long)c->pair.seed);
}

static void disagree(const struct comparison *c, struct tally *tally, size_t *count)
{
	if (!(*count)++)
		(void)printf("DISAGREEMENT, seed %llu: %s\n", (unsigned long long)c->pair.seed,
			     c->pair.notes.data);
	tally->disagreements++;
}

static const char *words_of(const struct seen *seen)
{
	return seen->ok ? "accepted" : seen->said;
}

/*
 * On purpose: what OpenSSL does with a damaged text depends on the damage, and on who reads it. The
 * proof never guesses what is left of it.
 */
static bool is_stricter(const struct cell *cell)
{
	return str_starts(cell->claim.why, "pem-text: ") ||
	       strstr(cell->claim.why, "key does not fit its certificate: line ");
}

static bool passes_with(const struct comparison *c, enum verify_purpose purpose, size_t leaf,
			const char *own_bundle, size_t bundle, bool tls12)
{
	char *text = forge_join(c->pair.leaf[purpose][leaf], "\n", own_bundle, (char *)NULL);
	struct claim claim;

	judge(&claim, purpose, c->pair.host, text, c->pair.key[purpose][leaf],
	      c->pair.bundle[purpose][bundle]);
	free(text);
	return tls12 ? claim.ok_tls12 : claim.ok;
}

/*
 * OpenSSL sends along what it finds of its leaf's chain in its own bundle, if the leaf's file has
 * nothing more. The proof does not rely on it: others do not. It explains who gets in nevertheless.
 * With each version the server has had another bundle of its own, see try_server(); clients had
 * none.
 */
static bool is_explained(const struct comparison *c, enum verify_purpose purpose, size_t leaf,
			 size_t bundle, size_t version)
{
	const struct cell *cell = &c->cells[purpose][leaf][bundle];
	bool claimed = version == TLS12 ? cell->claim.ok_tls12 : cell->claim.ok;

	return cell->seen[version].ok == claimed ||
	       (cell->seen[version].ok && purpose == VERIFY_SERVER &&
		passes_with(c, purpose, leaf, c->pair.bundle[VERIFY_CLIENT][version], bundle,
			    version == TLS12));
}

static void compare_cells(const struct comparison *c, struct tally *tally, size_t *count)
{
	for (int p = 0; p < PURPOSES; p++) {
		for (int i = 0; i < 4; i++) {
			const struct cell *cell = &c->cells[p][i / 2][i % 2];
			const struct seen *seen = cell->seen;

			tally->combinations++;
			*(seen[TLS13].ok ? &tally->accepted : &tally->refused) += 1;
			tally->tls13_only += seen[TLS13].ok && !seen[TLS12].ok;
			if (seen[TLS13].ok == cell->claim.ok &&
			    seen[TLS12].ok == cell->claim.ok_tls12)
				continue;
			if (seen[TLS13].ok && is_stricter(cell)) {
				tally->stricter++;
				continue;
			}
			if (is_explained(c, (enum verify_purpose)p, (size_t)i / 2, (size_t)i % 2,
					 TLS13) &&
			    is_explained(c, (enum verify_purpose)p, (size_t)i / 2, (size_t)i % 2,
					 TLS12)) {
				tally->completed++;
				continue;
			}
			disagree(c, tally, count);
			(void)printf("  %s's %s leaf, bundle '%s':\n    the proof: %s%s\n"
				     "    TLS 1.3: %s\n    TLS 1.2: %s\n",
				     p == VERIFY_SERVER ? "server" : "client",
				     i / 2 ? "new" : "old", c->pair.bundle_label[p][i % 2],
				     cell->claim.ok ? "passes " : "", cell->claim.why,
				     words_of(&seen[TLS13]), words_of(&seen[TLS12]));
		}
	}
}

/*
 * Without its certificate a client logs in with a password (SCRAM), which alone minds the digest of
 * the server's.
 */
static bool lets_in(const struct seen *server)
{
	return server->ok || strstr(server->said, "could not find digest for NID");
}

/* The same where both verify each other. */
static bool completes_itself(const struct comparison *c, const struct mutual *m, int i)
{
	return m->seen.ok &&
	       passes_with(c, VERIFY_SERVER, (size_t)i / 2, c->pair.bundle[VERIFY_CLIENT][i % 2],
			   m->client_bundle, m->tls12) &&
	       passes_with(c, VERIFY_CLIENT, m->client_leaf,
			   c->pair.bundle[VERIFY_SERVER][m->client_bundle], (size_t)i % 2,
			   m->tls12);
}

/* Who verify each other get in where each of them alone does, and not otherwise. */
static void compare_mutual(const struct comparison *c, struct tally *tally, size_t *count)
{
	for (int i = 0; i < 4; i++) {
		const struct mutual *m = &c->mutuals[i / 2][i % 2];
		const struct seen *server =
			&c->cells[VERIFY_SERVER][i / 2][m->client_bundle].seen[m->tls12];
		const struct seen *client =
			&c->cells[VERIFY_CLIENT][m->client_leaf][i % 2].seen[m->tls12];
		bool expected = lets_in(server) && client->ok;

		if (!m->seen.known || m->seen.ok == expected)
			continue;
		if (completes_itself(c, m, i)) {
			tally->completed++;
			continue;
		}
		disagree(c, tally, count);
		(void)printf("  server's %s leaf and bundle '%s', client's %s leaf and bundle '%s'"
			     "%s:\n    each alone %s, together: %s\n",
			     i / 2 ? "new" : "old", c->pair.bundle_label[VERIFY_CLIENT][i % 2],
			     m->client_leaf ? "new" : "old",
			     c->pair.bundle_label[VERIFY_SERVER][m->client_bundle],
			     m->tls12 ? ", TLS 1.2" : "", expected ? "accepted" : "refused",
			     m->seen.ok ? "accepted" : m->seen.said);
	}
}

void compare_case(struct tally *tally, struct bed *bed, const struct party *good, uint64_t seed)
{
	struct comparison *c = calloc(1, sizeof(*c));
	size_t count = 0;
	char why[600] = "";

	if (!c)
		exit(2);
	pair_make(&c->pair, seed);
	c->rng.state = ~seed;
	ask_proof(c);
	ask_postgres(c, bed, tally, good);
	compare_cells(c, tally, &count);
	compare_mutual(c, tally, &count);
	for (int p = 0; p < PURPOSES; p++) {
		if (whole_agrees(c, (enum verify_purpose)p, why, sizeof(why)))
			continue;
		disagree(c, tally, &count);
		(void)printf("  the proof of all %ss at once says otherwise than of each alone: "
			     "%s\n",
			     p == VERIFY_SERVER ? "server" : "client", why[0] ? why : "passes");
	}
	tally->cases++;
	if (count)
		keep_files(c, tally);
	pair_release(&c->pair);
	free(c);
}
