/* SPDX-License-Identifier: PostgreSQL */
/* README.txt: what goes along with a delivery, for people who do not know certrotate. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strs.h"
#include "base/sys.h"
#include "outside/delivery_internal.h"

#define SERVERS_SHOWN 50
#define USERS_SHOWN   50

/* What it is about, and what to do with it: one for each purpose. */
static const struct {
	const char *what;
	const char *steps;
} purposes[DELIVERY_PURPOSE__MAX] = {
	[DELIVERY_TRUST] =
		{"The certificates of these PostgreSQL servers are being replaced. This is the "
		 "first "
		 "of\ntwo deliveries: from now on the application has to trust both chains, the "
		 "present "
		 "one\nand the new one. Its own certificate and key stay as they are.\n",
		 "  1. Replace the file of CA certificates that the application trusts by root.crt "
		 "(or\n     what of it its driver wants, see below).\n"
		 "  2. Have it make new connections: a restart, or its pool's own way. Most "
		 "programs\n"
		 "     read the file once.\n"
		 "  3. See that it is connected.\n"
		 "  4. Tell the DBA. They wait for your word: after it, the servers show new\n"
		 "     certificates, and whoever trusts the old chain alone is refused by "
		 "itself.\n"},
	[DELIVERY_TRUST_BACK] =
		{"The new chain that was announced goes again, unused. The application goes back "
		 "to "
		 "trusting\nthe present one alone. Its own certificate and key stay as they are.\n",
		 "  1. Replace the file of CA certificates that the application trusts by "
		 "root.crt.\n"
		 "  2. Have it make new connections. It is in no hurry.\n"},
	[DELIVERY_CLIENTS] =
		{"The certificates of these PostgreSQL servers are being replaced, and those of "
		 "their "
		 "users\nwith them. This is the second of two deliveries: the application has to "
		 "log in "
		 "with the\nnew certificate and key from now on. For a while the old ones work, "
		 "too.\n",
		 "  1. Get the passphrase from the DBA. It comes another way than these files.\n"
		 "  2. Put the new certificate and key in the place of the old ones, in the form "
		 "that "
		 "the\n     application's driver wants (see below). root.crt is the same as in the "
		 "first\n"
		 "     delivery: it has to stay in use.\n"
		 "  3. Have it make new connections: a restart, or its pool's own way. A "
		 "connection "
		 "keeps\n     the certificate that it was made with.\n"
		 "  4. Look, in a session of the application's user:\n\n"
		 "         SELECT client_serial FROM pg_stat_ssl WHERE pid = pg_backend_pid();\n\n"
		 "     It has to be the serial below.\n"
		 "  5. Tell the DBA. They wait for your word: after it, the old certificates are "
		 "refused.\n"},
	[DELIVERY_CLIENTS_BACK] =
		{"The new certificates are taken back. The application has to log in with its old "
		 "certificate\nand key again. root.crt has both chains still, and stays in use.\n",
		 "  1. Get the passphrase from the DBA. It comes another way than these files.\n"
		 "  2. Put this certificate and key in the place of the new ones.\n"
		 "  3. Have it make new connections, and look:\n\n"
		 "         SELECT client_serial FROM pg_stat_ssl WHERE pid = pg_backend_pid();\n\n"
		 "     It has to be the serial below.\n"
		 "  4. Tell the DBA.\n"},
	[DELIVERY_PRUNE] =
		{"The certificates of these PostgreSQL servers have been replaced. The old chain "
		 "is "
		 "not\nneeded any more: the application may trust the new one alone. Its own "
		 "certificate "
		 "and key\nstay as they are.\n",
		 "  1. Replace the file of CA certificates that the application trusts by "
		 "root.crt.\n"
		 "  2. Have it make new connections, when it suits you. With the former file it "
		 "works,\n"
		 "     too, but it goes on trusting a chain that nobody looks after any more.\n"},
	[DELIVERY_PRUNE_BACK] =
		{"The old chain came back beside the new one. The application has to trust both "
		 "again.\nIts own certificate and key stay as they are.\n",
		 "  1. Replace the file of CA certificates that the application trusts by "
		 "root.crt.\n"
		 "  2. Have it make new connections.\n"
		 "  3. Tell the DBA.\n"},
	[DELIVERY_EMERGENCY] =
		{"The certificates of these PostgreSQL servers and of their users have been "
		 "replaced "
		 "at\nonce, because a key may be in wrong hands. The old certificates are refused, "
		 "and "
		 "the\nservers show new ones: the application is cut off until it has these.\n",
		 "  1. Get the passphrase from the DBA. It comes another way than these files.\n"
		 "  2. Replace the file of CA certificates that the application trusts by "
		 "root.crt, "
		 "and\n     its certificate and key by these, together.\n"
		 "  3. Restart it. Destroy the old key.\n"
		 "  4. Tell the DBA.\n"},
	[DELIVERY_PRESENT] =
		{"This is what the application needs to log in to these PostgreSQL servers as "
		 "things "
		 "stand\nnow, for instance on a new machine. Where it runs already nothing "
		 "changes.\n",
		 "  1. Get the passphrase from the DBA. It comes another way than these files.\n"
		 "  2. Set the application up with root.crt and with the certificate and key of "
		 "its "
		 "user,\n     in the form that its driver wants (see below).\n"},
};

static void add_text(struct buf *out, const char *text)
{
	buf_add_safe(out, text, strlen(text));
}

static void add_head(struct buf *out, const struct delivery_input *in)
{
	char made[SYS_TIME_SIZE];
	size_t start;

	sys_time_text(in->made, made);
	start = out->len;
	buf_adds(out, "Certificates for ");
	add_text(out, in->application);
	buf_adds(out, ", environment ");
	add_text(out, in->environment);
	buf_addc(out, '\n');
	for (size_t len = out->len - start - 1; len; len--)
		buf_addc(out, '=');
	buf_addf(out, "\n\n%s\nMade at %s", purposes[in->purpose].what, made);
	if (in->by[0]) {
		buf_adds(out, " by ");
		add_text(out, in->by);
		buf_adds(out, ".\nQuestions, and your word when you are done, go there");
	}
	buf_addf(out, ".\n\nWHAT TO DO\n\n%s", purposes[in->purpose].steps);
}

static void add_certificate(struct buf *out, const struct cert *cert, const char *name)
{
	char until[SYS_TIME_SIZE];

	sys_time_text(cert_not_after(cert), until);
	buf_addf(out, "    %s\n      subject      ", name);
	add_text(out, cert_subject(cert));
	buf_adds(out, "\n      issuer       ");
	add_text(out, cert_issuer(cert));
	buf_addf(out, "\n      valid until  %s\n", until);
	if (!cert_is_ca(cert))
		buf_addf(out, "      serial       %s\n", cert_serial_decimal(cert));
	buf_addf(out, "      SHA-256      %s\n", cert_fingerprint(cert));
}

/* One line for each file that everybody gets. */
static void add_shared(struct buf *out, const struct delivery_input *in)
{
	size_t count = in->bundle->count;

	buf_addf(out,
		 "\nFILES\n\n"
		 "  root.crt         the %zu certificate%s to trust the servers by (PEM), below "
		 "one by one\n",
		 count, count == 1 ? "" : "s");
	if (count > 1)
		buf_addf(out, "  ca-1.crt to ca-%zu.crt\n                   ", count);
	else
		buf_adds(out, "  ca-1.crt         ");
	buf_adds(out, "the same, one in each file\n"
		      "  truststore.p12   the same for Java (PKCS#12); its password is "
		      "\"" DELIVERY_STORE_PASSWORD "\",\n"
		      "                   which is no secret: nothing in it is\n"
		      "  delivery.json    this list for programs, with a checksum of each file\n");
}

static void add_keys(struct buf *out, const struct delivery_input *in,
		     const struct delivery_subject *subjects)
{
	bool any = false, all = true;

	for (size_t i = 0; i < in->user_count; i++) {
		any = any || in->users[i].key;
		all = all && in->users[i].key;
	}
	buf_adds(out, "\nand for each user in a folder of its own\n\n"
		      "  client.crt       its certificate (PEM)\n");
	if (any)
		buf_adds(out,
			 "  client.key       its private key, encrypted (PKCS#8, PEM, AES-256)\n"
			 "  client.pk8       the same in DER for JDBC (PKCS#8, 3DES)\n"
			 "  client.p12       key and certificate in one (PKCS#12, AES-256)\n\n"
			 "The keys open with the passphrase that the DBA gives you, all with the "
			 "same. Keep the\nfiles where only the application can read them.\n");
	if (!all)
		buf_adds(out,
			 "\nWhere a user has client.crt alone, its key is not the DBA's: whoever "
			 "made it has it.\n");
	for (size_t i = 0; i < in->user_count; i++) {
		char *name = str_fmt("%s/client.crt", subjects[i].folder);

		if (i == USERS_SHOWN) {
			buf_addf(out, "\n  and %zu more: delivery.json has them all\n",
				 in->user_count - i);
			free(name);
			break;
		}
		buf_adds(out, "\n  user ");
		add_text(out, in->users[i].name);
		buf_addc(out, '\n');
		add_certificate(out, subjects[i].certs.items[0], name ? name : "");
		free(name);
	}
}

static void add_servers(struct buf *out, const struct delivery_input *in)
{
	size_t shown = 0;

	buf_adds(out, "\nSERVERS\n\n");
	for (size_t i = 0; i < in->endpoints->count; i++) {
		const struct endpoint *endpoint = &in->endpoints->items[i];

		if (endpoint->protocol == ENDPOINT_TLS)
			continue;
		if (shown++ == SERVERS_SHOWN) {
			buf_adds(out, "  and more: ask the DBA\n");
			break;
		}
		buf_adds(out, "  ");
		add_text(out, endpoint->name);
		buf_addf(out, " port %u\n", endpoint->port);
	}
	if (!shown)
		buf_adds(out, "  ask the DBA; below, HOST stands for one\n");
	buf_adds(out,
		 "\nUse these names as they stand, not addresses: with verify-full a server's name "
		 "has to be\nin its certificate.\n");
}

static void add_one_only(struct buf *out, const struct delivery_input *in)
{
	buf_addf(out,
		 "\nONE CERTIFICATE ONLY\n\n"
		 "root.crt holds %zu certificates. A driver or tool that reads the first one and "
		 "says\n"
		 "nothing of the others seems to work, and is refused (or refuses) later, when "
		 "another\n"
		 "one is needed. If the application's driver is of that kind, import ca-1.crt to "
		 "ca-%zu.crt\none by one into the trust store that it uses (the system's, Java's), "
		 "or "
		 "use\ntruststore.p12. If it can hold one certificate and no more, tell the DBA "
		 "before "
		 "they go\non: it cannot follow without an interruption.\n\n",
		 in->bundle->count, in->bundle->count);
	for (size_t i = 0; i < in->bundle->count; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "ca-%zu.crt", i + 1);
		add_certificate(out, in->bundle->items[i], name);
	}
}

int delivery_readme(struct buf *out, const struct delivery_input *in,
		    const struct delivery_subject *subjects, struct err *err)
{
	add_head(out, in);
	add_shared(out, in);
	if (subjects)
		add_keys(out, in, subjects);
	add_servers(out, in);
	buf_addf(out,
		 "\nCONNECTING\n\n"
		 "DATABASE stands for the database's name, %s. Files are named as\nseen from this "
		 "folder: a program that runs elsewhere needs whole paths.\n",
		 subjects ? "PASSPHRASE for the passphrase" : "USER for the user");
	if (!subjects)
		buf_adds(out, "What the application has for its own certificate and key stays: add "
			      "it.\n");
	else if (in->user_count > 1)
		buf_adds(out, "The strings are for the first user; for the others write their name "
			      "and folder.\n");
	delivery_strings(out, in, subjects ? &subjects[0] : NULL);
	add_one_only(out, in);
	return buf_check(out, "README.txt", err);
}
