/* SPDX-License-Identifier: PostgreSQL */
/*
 * What servers are asked: PostgreSQL 13 to 18. Columns that only some versions have are taken
 * through to_jsonb(). Nothing secret leaves the server: of connection strings and options only
 * the wanted parts are selected, after passwords were cut out; of pg_hba.conf's options only
 * those about certificates (others hold LDAP and RADIUS secrets).
 */
#include "state/access_internal.h"

#define RE(text) "$re$" text "$re$"
/* A value of a connection string: quoted, or up to the next blank. */
#define VALUE "('(?:[^'\\\\]|\\\\.)*'|(?:[^\\s\\\\]|\\\\.)*)"

/* A connection string, as "key=value …" or as a URI, without its passwords. */
#define WITHOUT_PASSWORDS(text)                                                                    \
	"regexp_replace(regexp_replace(regexp_replace(" text                                       \
	", " RE("(^|\\s)(?:ssl)?password\\s*=\\s*" VALUE) ", " RE(                                 \
		"\\1") ", 'g')"                                                                    \
		       ", " RE("^(\\s*postgres(?:ql)?://[^:@/?]*):[^@/]*@") ", " RE(               \
			       "\\1@") ")"                                                         \
				       ", " RE("([?&])(?:ssl)?password=[^&]*") ", " RE(            \
					       "\\1") ", 'g')"

#define PART(key)                                                                                  \
	"coalesce(nullif(regexp_replace(trim(both '''' from (regexp_match(s, " RE(                 \
		"(?:^|\\s)" key                                                                    \
		"\\s*=\\s*" VALUE) "))[1]), " RE("\\\\(.)") ", " RE("\\1") ", 'g'), ''), "         \
									   "(regexp_match(s, " RE( \
										   "[?&]" key      \
										   "=([^&]*)") ")" \
											       ")" \
											       "[" \
											       "1" \
											       "]" \
											       "," \
											       " " \
											       "'" \
											       "'" \
											       ")"

/* host, user, certificate, key, root; whether it is a URI */
#define PARTS                                                                                                                                                                                  \
	"coalesce(nullif(" PART("host") ", ''), nullif(" PART(                                                                                                                                 \
		"hostaddr") ", ''), (regexp_match("                                                                                                                                            \
			    "s, " RE(                                                                                                                                                          \
				    "^\\s*postgres(?:ql)?://(?:[^@/]*@)?([^/?]*)") "))[1], ''), "                                                                                              \
										   "coalesce("                                                                                                 \
										   "nullif"                                                                                                    \
										   "(" PART(                                                                                                   \
											   "use"                                                                                               \
											   "r") ", ''), (regexp_match(s, " RE("^\\s*postgres(?:ql)?://([^:@/?]+)@") "))[1], ''), " PART("sslc" \
																							"ert") ", " PART("sslkey") ", " PART("sslrootcert") ", s ~ " RE("^\\s*postgres(ql)?://")

/* An option of a user mapping, else of its server. */
#define OPTION(key)                                                                                \
	"coalesce((SELECT substr(o, strpos(o, '=') + 1) FROM unnest(u.umoptions) AS o WHERE o "    \
	"LIKE '" key "=%' LIMIT 1), (SELECT substr(o, strpos(o, '=') + 1) FROM "                   \
	"unnest(f.srvoptions) AS o WHERE o LIKE '" key "=%' LIMIT 1), '')"

#define CLIENTNAME RE("^(?:[^#]*\\s)?\"?clientname=\"?(CN|DN)")

static const char *const questions[ASK__MAX] = {
	[ASK_RULES] = "SELECT coalesce(to_jsonb(r)->>'file_name', ''), coalesce(r.line_number, 0), "
		      "coalesce(r.type, ''), coalesce(r.address, ''), coalesce(r.netmask, ''), "
		      "coalesce(r.auth_method, ''), coalesce((SELECT string_agg(o, chr(10)) FROM "
		      "unnest(r.options) AS o WHERE o ~ '^(map|clientcert|clientname)='), ''), "
		      "r.error IS NOT NULL FROM pg_hba_file_rules AS r",
	[ASK_WORDS] = "WITH r AS MATERIALIZED (SELECT row_number() OVER () - 1 AS n, database, "
		      "user_name FROM pg_hba_file_rules) "
		      "SELECT n, 'd', w FROM r, unnest(database) AS w UNION ALL "
		      "SELECT n, 'u', w FROM r, unnest(user_name) AS w",
	/* The view leaves clientname out. The last row says that the text could be read. */
	[ASK_CLIENTNAMES] =
		"WITH f AS MATERIALIZED (SELECT DISTINCT coalesce(to_jsonb(r)->>'file_name', "
		"(SELECT setting FROM pg_settings WHERE name = 'hba_file')) AS name FROM "
		"pg_hba_file_rules AS r), l AS MATERIALIZED (SELECT f.name, t.number, "
		"(regexp_match(t.line, " CLIENTNAME "))[1] AS field FROM f, "
		"regexp_split_to_table(pg_read_file(f.name), chr(10)) WITH ORDINALITY AS t(line, "
		"number)) SELECT name, number, field FROM l WHERE field IS NOT NULL UNION ALL "
		"SELECT '', 0, 'known' FROM f HAVING bool_and(name IS NOT NULL)",
	[ASK_MAPPINGS] = "SELECT coalesce(to_jsonb(m)->>'file_name', ''), coalesce(m.line_number, "
			 "0), coalesce(m.map_name, ''), coalesce(m.sys_name, ''), "
			 "coalesce(m.pg_username, ''), m.error IS NOT NULL "
			 "FROM pg_ident_file_mappings AS m",
	[ASK_ROLES] = "SELECT rolname, rolreplication OR rolsuper FROM pg_roles WHERE rolcanlogin",
	[ASK_MEMBERS] = "SELECT g.rolname, m.rolname FROM pg_auth_members AS a "
			"JOIN pg_roles AS g ON g.oid = a.roleid "
			"JOIN pg_roles AS m ON m.oid = a.member",
	[ASK_SCRAM] = "SELECT count(*) FILTER (WHERE rolpassword LIKE 'SCRAM-SHA-256$%') "
		      "FROM pg_authid",
	[ASK_LOGIN] = "SELECT current_setting('is_superuser'), current_database(), "
		      "pg_has_role('pg_read_all_settings', 'USAGE')",
	[ASK_STANDBY] = "SELECT " PARTS " FROM (SELECT " WITHOUT_PASSWORDS(
		"setting") " AS s FROM "
			   "pg_settings WHERE name = 'primary_conninfo' AND setting <> '') AS x",
	/* Nothing of a subscription runs on a standby. */
	[ASK_SUBSCRIPTION_COUNT] = "SELECT count(subname) FROM pg_subscription "
				   "WHERE NOT pg_is_in_recovery()",
	[ASK_SUBSCRIPTIONS] = "SELECT datname, subname, " PARTS
			      " FROM (SELECT d.datname, u.subname, " WITHOUT_PASSWORDS(
				      "u.subconninfo") " AS s FROM pg_subscription AS u "
						       "JOIN pg_database AS d ON d.oid = u.subdbid "
						       "WHERE NOT pg_is_in_recovery()) AS x "
						       "ORDER BY 1, 2",
	[ASK_DATABASES] = "SELECT datname FROM pg_database WHERE datallowconn AND NOT "
			  "datistemplate AND datname <> current_database() ORDER BY 1",
	/* Mappings that differ in nothing but their users are one. */
	[ASK_FOREIGN] =
		"SELECT name, coalesce(nullif(host, ''), hostaddr), min(usr), cert, key, root, "
		"bool_or(kept) FROM (SELECT f.srvname AS name, " OPTION("host") " AS host, " OPTION("hostaddr") " AS hostaddr, " OPTION("user") " AS usr, " OPTION(
			"sslcert") " AS cert, " OPTION("sslkey") " AS "
								 "key,"
								 " " OPTION(
									 "sslrootcert") " AS root, "
											"u.umid IS "
											"NOT NULL "
											"AND "
											"u."
											"umoptions "
											"IS NULL "
											"AND "
											"current_"
											"setting('"
											"is_"
											"superuser'"
											") <> 'on' "
											"AS kept "
											"FROM "
											"pg_"
											"foreign_"
											"server AS "
											"f JOIN "
											"pg_"
											"foreign_"
											"data_"
											"wrapper "
											"AS w ON "
											"w.oid = "
											"f.srvfdw "
											"LEFT JOIN "
											"pg_user_"
											"mappings "
											"AS u ON "
											"u.srvid = "
											"f.oid "
											"WHERE "
											"CAST(CAST("
											"w."
											"fdwvalidat"
											"or AS "
											"regproc) "
											"AS text) "
											"~ "
											"'("
											"postgres|"
											"dblink|"
											"postgresql"
											")_fdw_"
											"validator$"
											"') AS x "
											"GROUP BY "
											"1, 2, "
											"cert, "
											"key, root "
											"ORDER BY "
											"1, 2, 4",
};

const char *const *access_questions(void)
{
	return questions;
}
