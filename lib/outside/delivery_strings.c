/* SPDX-License-Identifier: PostgreSQL */
/*
 * Connection strings. What they say of a driver is from its own documentation or source:
 *   libpq      https://www.postgresql.org/docs/current/libpq-connect.html, libpq-ssl.html
 *   pgjdbc     LibPQFactory.java, LazyKeyManager.java, PKCS12KeyManager.java
 *   Npgsql     https://www.npgsql.org/doc/security.html, NpgsqlConnector.cs, its issues 5942, 6056
 *   pgx        pgconn/config.go; lib/pq: ssl.go, ssl_permissions.go
 *   psqlODBC   its configuration page, "pqopt"
 * tests/integration/drivers.sh takes the strings from the page and logs in with them, but for
 * Npgsql's and pgx's.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "outside/delivery_internal.h"

#define HOSTS_SHOWN 4 /* in one string; more make it unreadable */

enum quoting { QUOTE_CONNINFO, QUOTE_URL, QUOTE_SEMICOLON, QUOTE_BRACES };

static void add_quoted(struct buf *out, const char *text, enum quoting quoting)
{
	static const char marks[][3] = {[QUOTE_CONNINFO] = "''",
					[QUOTE_URL] = "",
					[QUOTE_SEMICOLON] = "\"\"",
					[QUOTE_BRACES] = "{}"};
	bool plain = text[0] != '\0';
	struct buf inner;

	for (const char *c = text; *c; c++) {
		bool letter = isalnum((unsigned char)*c) ||
			      strchr(quoting == QUOTE_URL ? "._-/" : "._-/@%", *c);

		plain = plain && letter;
		if (quoting != QUOTE_URL)
			continue;
		if (letter)
			buf_addc(out, *c);
		else
			buf_addf(out, "%%%02X", (unsigned)(unsigned char)*c);
	}
	if (quoting == QUOTE_URL)
		return;
	if (plain) {
		buf_adds(out, text);
		return;
	}
	buf_init(&inner, BUF_TEXT_MAX);
	for (const char *c = text; *c; c++) {
		if (quoting == QUOTE_CONNINFO && (*c == '\'' || *c == '\\'))
			buf_addc(&inner, '\\');
		if (*c == marks[quoting][1] && quoting != QUOTE_CONNINFO)
			buf_addc(&inner, *c);
		buf_addc(&inner, *c);
	}
	buf_addc(out, marks[quoting][0]);
	buf_add_safe(out, inner.data, inner.len);
	buf_addc(out, marks[quoting][1]);
	buf_release(&inner);
}

/* What a PostgreSQL client can connect to, at most as many as fit into one string. */
static size_t servers(const struct endpoint *out[HOSTS_SHOWN], const struct delivery_input *in)
{
	size_t count = 0;

	for (size_t i = 0; i < in->endpoints->count && count < HOSTS_SHOWN; i++) {
		if (in->endpoints->items[i].protocol != ENDPOINT_TLS)
			out[count++] = &in->endpoints->items[i];
	}
	return count;
}

/* "host=a,b port=1,2" */
static void add_host_and_port(struct buf *out, const struct delivery_input *in, const char *host,
			      const char *port, char end)
{
	const struct endpoint *found[HOSTS_SHOWN];
	size_t count = servers(found, in);

	buf_adds(out, host);
	for (size_t i = 0; i < count; i++)
		buf_addf(out, "%s%s", i ? "," : "", found[i]->name);
	buf_addf(out, "%s%c%s", count ? "" : "HOST", end, port);
	for (size_t i = 0; i < count; i++)
		buf_addf(out, "%s%u", i ? "," : "", found[i]->port);
	buf_adds(out, count ? "" : "5432");
}

/* "a:1,b:2", as addresses in a URL have it; at most max. */
static void add_authority(struct buf *out, const struct delivery_input *in, size_t max)
{
	const struct endpoint *found[HOSTS_SHOWN];
	size_t count = servers(found, in);

	for (size_t i = 0; i < count && i < max; i++) {
		bool v6 = strchr(found[i]->name, ':') != NULL;

		buf_addf(out, "%s%s%s%s:%u", i ? "," : "", v6 ? "[" : "", found[i]->name,
			 v6 ? "]" : "", found[i]->port);
	}
	if (!count)
		buf_adds(out, "HOST:5432");
}

static bool several(const struct delivery_input *in)
{
	const struct endpoint *found[HOSTS_SHOWN];

	return servers(found, in) > 1;
}

static const char *user_of(const struct delivery_subject *subject)
{
	return subject ? subject->user->name : "USER";
}

static bool has_key(const struct delivery_subject *subject)
{
	return subject && subject->user->key;
}

/* The part that libpq, psycopg and psqlODBC share. */
static void add_conninfo_tls(struct buf *out, const struct delivery_subject *subject)
{
	buf_adds(out, "sslrootcert=root.crt");
	if (!has_key(subject))
		return;
	buf_adds(out, " sslcert=");
	add_quoted(out, subject->folder, QUOTE_CONNINFO);
	buf_adds(out, "/client.crt sslkey=");
	add_quoted(out, subject->folder, QUOTE_CONNINFO);
	buf_adds(out, "/client.key sslpassword=PASSPHRASE");
}

static void add_conninfo(struct buf *out, const struct delivery_input *in,
			 const struct delivery_subject *subject)
{
	add_host_and_port(out, in, "host=", "port=", ' ');
	buf_adds(out, " dbname=DATABASE user=");
	add_quoted(out, user_of(subject), QUOTE_CONNINFO);
	buf_adds(out, " sslmode=verify-full ");
	add_conninfo_tls(out, subject);
	if (several(in))
		buf_adds(out, " target_session_attrs=read-write");
}

static void add_libpq(struct buf *out, const struct delivery_input *in,
		      const struct delivery_subject *subject)
{
	buf_adds(out, "\nlibpq (psql, pg_dump, and whatever is built on it)\n\n    psql \"");
	add_conninfo(out, in, subject);
	buf_adds(out, "\"\n\n"
		      "  - It reads every certificate in root.crt.\n");
	if (several(in))
		buf_adds(out,
			 "  - target_session_attrs=read-write picks the server that takes "
			 "writes: leave it out\n    where any will do. (The others' strings have "
			 "a word for it, too.)\n");
	if (!has_key(subject))
		return;
	buf_adds(
		out,
		"  - A key file that others may read is refused: chmod 0600, or 0640 where root\n"
		"    owns it and the program's group is the file's.\n"
		"  - sslpassword came with version 13; older ones ask at the terminal. Everybody\n"
		"    on the machine sees a program's arguments: keep the string in a service file\n"
		"    (PGSERVICEFILE, mode 0600), where every one of these words may stand.\n"
		"  - A passphrase with blanks stands in single quotes: sslpassword='...'.\n"
		"  - The key is opened again at each connect, which takes some 50 ms.\n");
}

static void add_psycopg(struct buf *out, const struct delivery_input *in,
			const struct delivery_subject *subject)
{
	buf_adds(out, "\npsycopg (2 and 3)\n\n    psycopg.connect(\"");
	add_conninfo(out, in, subject);
	buf_adds(out,
		 "\")\n\n  - It is libpq: what stands there holds here. In version 2 the module "
		 "is psycopg2.\n");
}

static void add_jdbc_string(struct buf *out, const struct delivery_input *in,
			    const struct delivery_subject *subject, const char *form)
{
	buf_adds(out, "    jdbc:postgresql://");
	add_authority(out, in, HOSTS_SHOWN);
	buf_adds(out, "/DATABASE?user=");
	add_quoted(out, user_of(subject), QUOTE_URL);
	buf_adds(out, "&sslmode=verify-full&sslrootcert=root.crt");
	if (has_key(subject) && !strcmp(form, "pk8")) {
		buf_adds(out, "&sslcert=");
		add_quoted(out, subject->folder, QUOTE_URL);
		buf_adds(out, "/client.crt");
	}
	if (has_key(subject)) {
		buf_adds(out, "&sslkey=");
		add_quoted(out, subject->folder, QUOTE_URL);
		buf_addf(out, "/client.%s&sslpassword=PASSPHRASE", form);
	}
	buf_adds(out, several(in) ? "&targetServerType=primary\n" : "\n");
}

static void add_jdbc(struct buf *out, const struct delivery_input *in,
		     const struct delivery_subject *subject)
{
	buf_adds(out, "\nJDBC (pgjdbc; also DBeaver and other programs that use it)\n\n");
	add_jdbc_string(out, in, subject, "p12");
	if (has_key(subject)) {
		buf_adds(out, "\n  or, for versions before 42.2.9, with the key in DER:\n\n");
		add_jdbc_string(out, in, subject, "pk8");
	}
	buf_adds(out, "\n  - sslrootcert reads every certificate in root.crt.\n");
	if (has_key(subject))
		buf_adds(out,
			 "  - It takes a file for PKCS#12 by its name: keep the ending .p12 (or "
			 ".pfx). "
			 "Inside\n"
			 "    it looks for the entry \"user\", which client.p12 has; a store that "
			 "you "
			 "make\n"
			 "    yourself needs that name too.\n"
			 "  - client.key is of no use to it: it wants DER, and cannot open a key "
			 "with "
			 "the\n"
			 "    usual encryption (PBES2). So client.pk8 has an older one, 3DES. "
			 "Where you\n"
			 "    need no client.pk8, delete it: client.p12 is the stronger. Versions "
			 "from "
			 "42.7.9\n    on that refuse it by its name take it as client.der.\n"
			 "  - PASSPHRASE must be written as in a URL: a % as %25, a & as %26.\n");
	buf_adds(out, "  - With sslfactory=org.postgresql.ssl.DefaultJavaSSLFactory, Java's own "
		      "stores\n    count instead:\n\n"
		      "    -Djavax.net.ssl.trustStore=truststore.p12 "
		      "-Djavax.net.ssl.trustStorePassword=" DELIVERY_STORE_PASSWORD "\n");
	if (has_key(subject)) {
		buf_adds(out, "    -Djavax.net.ssl.keyStore=");
		add_quoted(out, subject->folder, QUOTE_CONNINFO);
		buf_adds(out, "/client.p12 -Djavax.net.ssl.keyStorePassword=PASSPHRASE\n");
	}
	buf_adds(out,
		 "\n  - keytool -importcert takes the first certificate of a file and drops the "
		 "rest:\n    import ca-1.crt, ca-2.crt and so on one by one, or use truststore.p12 "
		 "as it "
		 "is.\n");
}

static void add_npgsql(struct buf *out, const struct delivery_input *in,
		       const struct delivery_subject *subject)
{
	buf_adds(out, "\nNpgsql (.NET), version 6 or later\n\n    Host=");
	add_authority(out, in, HOSTS_SHOWN);
	buf_adds(out, ";Database=DATABASE;Username=");
	add_quoted(out, user_of(subject), QUOTE_SEMICOLON);
	buf_adds(out, ";SSL Mode=VerifyFull;Root Certificate=root.crt");
	if (has_key(subject)) {
		buf_adds(out, ";SSL Certificate=");
		add_quoted(out, subject->folder, QUOTE_SEMICOLON);
		buf_adds(out, "/client.crt;SSL Key=");
		add_quoted(out, subject->folder, QUOTE_SEMICOLON);
		buf_adds(out, "/client.key;SSL Password=PASSPHRASE");
	}
	buf_adds(out, several(in) ? ";Target Session Attributes=primary\n" : "\n");
	buf_adds(out,
		 "\n"
		 "  - \"Root Certificate\" in the connection string reads the whole file. The\n"
		 "    program's own UseRootCertificate() takes one certificate only, and so does\n"
		 "    new X509Certificate2(file): see ONE CERTIFICATE ONLY below.\n");
	if (has_key(subject))
		buf_adds(out,
			 "  - It takes a file for PKCS#12 by the ending .pfx: for that form copy "
			 "client.p12\n"
			 "    to client.pfx, name it as SSL Certificate, and leave SSL Key out.\n");
}

static void add_go(struct buf *out, const struct delivery_input *in,
		   const struct delivery_subject *subject)
{
	buf_adds(out, "\npgx and lib/pq (Go)\n\n    postgres://");
	add_quoted(out, user_of(subject), QUOTE_URL);
	buf_addc(out, '@');
	/* lib/pq takes one server. */
	add_authority(out, in, 1);
	buf_adds(out, "/DATABASE?sslmode=verify-full&sslrootcert=root.crt");
	if (has_key(subject)) {
		buf_adds(out, "&sslcert=");
		add_quoted(out, subject->folder, QUOTE_URL);
		buf_adds(out, "/client.crt&sslkey=");
		add_quoted(out, subject->folder, QUOTE_URL);
		buf_adds(out, "/clear.key");
	}
	buf_adds(out, "\n\n  - Both read every certificate in root.crt.\n");
	if (!has_key(subject))
		return;
	buf_adds(out,
		 "  - Neither opens a key that is encrypted as client.key is, whatever sslpassword "
		 "says\n"
		 "    (pgx knows an older form only, lib/pq none). Open it on the machine where "
		 "the\n"
		 "    program runs, as its user, on a memory file system if you can; the command "
		 "asks\n    for the passphrase:\n\n    (umask 077; openssl pkcs8 -in ");
	add_quoted(out, subject->folder, QUOTE_CONNINFO);
	buf_adds(out, "/client.key -out ");
	add_quoted(out, subject->folder, QUOTE_CONNINFO);
	buf_adds(out,
		 "/clear.key)\n\n"
		 "  - lib/pq refuses a key file that others may read, as libpq does.\n"
		 "  - A program may also decrypt PKCS#8 itself and set tls.Config.Certificates.\n");
}

static void add_odbc(struct buf *out, const struct delivery_input *in,
		     const struct delivery_subject *subject)
{
	buf_adds(out, "\nODBC (psqlODBC)\n\n    Driver={PostgreSQL Unicode};");
	add_host_and_port(out, in, "Servername=", "Port=", ';');
	buf_adds(out, ";Database=DATABASE;Username=");
	add_quoted(out, user_of(subject), QUOTE_BRACES);
	buf_adds(out, ";SSLmode=verify-full;pqopt={");
	add_conninfo_tls(out, subject);
	buf_adds(out, several(in) ? " target_session_attrs=read-write}\n" : "}\n");
	buf_adds(out, "\n  - It is libpq: what stands there holds here. The files go into pqopt; "
		      "psqlODBC\n    has no words of its own for them.\n");
}

void delivery_strings(struct buf *out, const struct delivery_input *in,
		      const struct delivery_subject *subject)
{
	add_libpq(out, in, subject);
	add_psycopg(out, in, subject);
	add_jdbc(out, in, subject);
	add_npgsql(out, in, subject);
	add_go(out, in, subject);
	add_odbc(out, in, subject);
}
