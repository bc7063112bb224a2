/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "inventory/chain.h"
#include "tests/inventory/suites.h"

static const char *dir;
static struct err err;

static void setup(void)
{
	dir = test_mkdir();
	err_clear(&err);
}

static void teardown(void)
{
	test_rmdir();
}

static void file(const char *name, const char *text)
{
	char *path = test_path(name), *slash = strrchr(path, '/');

	*slash = '\0';
	ck_ok(file_mkdirs(path, 0755, &err), &err);
	*slash = '/';
	test_write(path, text);
	free(path);
}

static struct chain_desc *parse(const char *text)
{
	struct chain_desc *chain = NULL;

	ck_ok(chain_parse(&chain, text, strlen(text), "c.yml", dir, "inv", &err), &err);
	return chain;
}

static void add_list(struct buf *buf, const char *what, const struct strs *list)
{
	char text[512];

	strs_join(list, 100, text, sizeof(text));
	buf_addf(buf, " %s[%s]", what, text);
}

/* The whole description on one line, so that a test compares all of it. */
static char *describe(const struct chain_desc *chain)
{
	struct buf buf;
	char *text;

	buf_init(&buf, 1 << 20);
	for (size_t i = 0; i < chain->subject_count; i++)
		buf_addf(&buf, "/%s=%s", chain->subject[i].type, chain->subject[i].value);
	buf_addf(&buf, " %s %u", chain->key, chain->days);
	for (size_t i = 0; i < chain->authority_count; i++) {
		const struct chain_authority *a = &chain->authorities[i];

		buf_addf(&buf, "; %s %s %u", a->name, a->key, a->days);
		for (size_t j = 0; j < a->server_count; j++) {
			struct strs sans = STRS_INIT;

			ck_ok(chain_server_sans(&sans, &a->servers[j], &err), &err);
			add_list(&buf, a->servers[j].host, &sans);
			strs_release(&sans);
		}
		add_list(&buf, "clients", &a->clients);
		add_list(&buf, "ku", &a->key_usages);
		add_list(&buf, "eku", &a->ext_usages);
	}
	ck_ok(buf_check(&buf, "chain", &err), &err);
	text = buf_detach(&buf);
	return text;
}

#define KU "ku[digitalSignature, keyEncipherment, dataEncipherment]"
#define S  "intermediates: [{name: s, servers: "
#define C  "intermediates: [{name: c, clients: "

static const struct {
	const char *text, *wanted;
} good[] = {
	/* names of servers */
	{S "{h: [h, 10.0.0.1, H, h]}}]", "/CN=postgres rsa4096 365; s rsa4096 365 "
					 "h[DNS:h, IP:10.0.0.1] clients[] " KU " eku[serverAuth]"},
	{S "{h: }}]",
	 "/CN=postgres rsa4096 365; s rsa4096 365 h[DNS:h] clients[] " KU " eku[serverAuth]"},
	{S "{h: []}}]",
	 "/CN=postgres rsa4096 365; s rsa4096 365 h[DNS:h] clients[] " KU " eku[serverAuth]"},
	{S "{h: other.x}}]", "/CN=postgres rsa4096 365; s rsa4096 365 h[DNS:h, DNS:other.x] "
			     "clients[] " KU " eku[serverAuth]"},
	{S "{10.0.0.1: ['fd00:0:0::1', FD00::1, '*.x.y', a@b.nl, 'spiffe://x/y']}}]",
	 "/CN=postgres rsa4096 365; s rsa4096 365 10.0.0.1[IP:10.0.0.1, IP:fd00::1, DNS:*.x.y, "
	 "email:a@b.nl, URI:spiffe://x/y] clients[] " KU " eku[serverAuth]"},
	/* users */
	{C "[a, b_c, a, 'x y', 12]}]", "/CN=postgres rsa4096 365; c rsa4096 365 clients[a, b_c, "
				       "x y, 12] " KU " eku[clientAuth]"},
	{"intermediates: [{name: x, servers: {h: }, clients: [u]}]",
	 "/CN=postgres rsa4096 365; x rsa4096 365 h[DNS:h] clients[u] " KU
	 " eku[serverAuth, clientAuth]"},
	{"intermediates: [{name: x, clientservers: {h: [10.0.0.1]}}]",
	 "/CN=postgres rsa4096 365; x rsa4096 365 h[DNS:h, IP:10.0.0.1] clients[] " KU
	 " eku[serverAuth, clientAuth]"},
	/* usages in the words of either tool */
	{C "[u], keyUsages: [certSign, digitalSignature], extendedKeyUsages: [any, ocpsSigning, "
	   "1.2.3.4, clientAuth, any]}]",
	 "/CN=postgres rsa4096 365; c rsa4096 365 clients[u] ku[keyCertSign, digitalSignature] "
	 "eku[anyExtendedKeyUsage, OCSPSigning, 1.2.3.4, clientAuth]"},
	{C "[u], key_usages: digitalSignature, extended_key_usages: []}]",
	 "/CN=postgres rsa4096 365; c rsa4096 365 clients[u] ku[digitalSignature] "
	 "eku[clientAuth]"},
	/* subject */
	{"subject: {C: NL/postalCode=3721 MA, ST: , OU: '', L: 'B/street=A 9', CN: x}\n" C "[u]}]",
	 "/C=NL/postalCode=3721 MA/L=B/street=A 9/CN=x rsa4096 365; c rsa4096 365 clients[u] " KU
	 " eku[clientAuth]"},
	{"subject: {c: NL, PC: 1 A, STREET: S, uid: u, o: O, 1.2.3: z}\n" C "[u]}]",
	 "/C=NL/postalCode=1 A/street=S/UID=u/O=O/1.2.3=z/CN=postgres rsa4096 365; c rsa4096 365 "
	 "clients[u] " KU " eku[clientAuth]"},
	{"subject: /C=NL/O=A/B\\/c=x/OU=/CN=root\n" C "[u]}]",
	 "/C=NL/O=A/B\\/c=x/CN=root rsa4096 365; c rsa4096 365 clients[u] " KU " eku[clientAuth]"},
	/* certrotate's own */
	{"key: ecdsa-p256\ndays: 90\nintermediates:\n- {name: s, servers: {h: }}\n"
	 "- {name: c, clients: [u], key: ed25519, days: 30}\n",
	 "/CN=postgres ecdsa-p256 90; s ecdsa-p256 90 h[DNS:h] clients[] " KU
	 " eku[serverAuth]; c ed25519 30 clients[u] " KU " eku[clientAuth]"},
	{"key: ed25519\nintermediates:\n- {name: s, servers: {h: }, key: rsa2048}\n",
	 "/CN=postgres ed25519 365; s rsa2048 365 h[DNS:h] clients[] " KU " eku[serverAuth]"},
	/* the other form of the Go one */
	{"chain:\n  intermediates:\n    server:\n      servers:\n        server1.local:\n"
	 "          - server1.local\n    client:\n      clients:\n      - client1\n"
	 "  root:\n    cert:\n      subject:\n        CN: chainsmith\ntmpdir: /tmp/x\n",
	 "/CN=chainsmith rsa4096 365; server rsa4096 365 server1.local[DNS:server1.local] "
	 "clients[] " KU " eku[serverAuth]; client rsa4096 365 clients[client1] " KU
	 " eku[clientAuth]"},
	/* anchors */
	{"intermediates:\n- &a {name: s, servers: {h: &n [x.y]}, keyUsages: &k "
	 "[digitalSignature]}\n"
	 "- {<<: *a, name: t, servers: {i: *n}}\n- {name: c, clients: [u], keyUsages: *k}\n",
	 "/CN=postgres rsa4096 365; s rsa4096 365 h[DNS:h, DNS:x.y] clients[] "
	 "ku[digitalSignature] eku[serverAuth]; t rsa4096 365 i[DNS:i, DNS:x.y] clients[] "
	 "ku[digitalSignature] eku[serverAuth]; c rsa4096 365 clients[u] ku[digitalSignature] "
	 "eku[clientAuth]"},
};

START_TEST(every_form_is_read)
{
	struct chain_desc *chain = parse(good[_i].text);
	char *text = describe(chain);

	ck_assert_str_eq(text, good[_i].wanted);
	ck_assert_uint_eq(chain->warnings.count, 0);
	free(text);
	chain_free(chain);
}
END_TEST

static const struct {
	const char *text, *message, *hint;
} wrong[] = {
	{"", "c.yml: expected a chain's description", ""},
	{"- x\n", "c.yml: expected a chain's description", ""},
	{"subject: {CN: x}\n", "c.yml: 'intermediates' is missing", ""},
	{"subject: {CN: x}\nintermediate: []\n", "c.yml: 'intermediates' is missing",
	 "line 2 says 'intermediate'"},
	{"intermediates:\n", "c.yml:1: intermediates: there is no authority", ""},
	{"intermediates: []\n", "c.yml:1: intermediates: there is no authority", ""},
	{"intermediates: {}\n", "c.yml:1: intermediates: there is no authority", ""},
	{"intermediates: x\n", "c.yml:1: intermediates: expected a list of authorities", ""},
	{"intermediates:\n- x\n", "c.yml:2: intermediates[0]: expected a mapping", ""},
	{"intermediates:\n- {clients: [a]}\n", "c.yml:2: intermediates[0]: 'name' is missing", ""},
	{"intermediates:\n- {name: a/b, clients: [a]}\n",
	 "c.yml:2: intermediates[0].name: 'a/b' cannot be an authority's name: at most 64 bytes, "
	 "no slash, no blank at either end",
	 ""},
	{"intermediates:\n- {name: a, clients: [a]}\n- {name: a, clients: [b]}\n",
	 "c.yml:3: intermediates[1].name: another authority is called 'a' already", ""},
	{"intermediates:\n- {name: a}\n", "c.yml:2: authority 'a' has neither servers nor clients",
	 "servers: {HOST: [NAME…]}, clients: [USER…]"},
	{"intermediates:\n- {name: a, clients: []}\n",
	 "c.yml:2: authority 'a' has neither servers nor clients",
	 "servers: {HOST: [NAME…]}, clients: [USER…]"},
	{"intermediates:\n- {name: a, clients: u}\n",
	 "c.yml:2: intermediates[0].clients: expected a list of users", ""},
	{"intermediates:\n- {name: a, servers: [h]}\n",
	 "c.yml:2: intermediates[0].servers: expected a mapping from hosts to lists of names", ""},
	{"intermediates:\n- {name: a, servers: '{{ x }}'}\n",
	 "c.yml:2: intermediates[0].servers: expected a mapping from hosts to lists of names", ""},
	{"intermediates:\n- {name: a, servers: {'h h': }}\n",
	 "c.yml:2: intermediates[0].servers.h h: is no host name", ""},
	{"intermediates:\n- {name: a, servers: {a/b: }}\n",
	 "c.yml:2: intermediates[0].servers.a/b: is no host name", ""},
	{"intermediates:\n- {name: a, servers: {\"a\\nb\": }}\n", "c.yml:2: ", ""},
	{"intermediates:\n- {name: a, servers: {'*.x.y': }}\n",
	 "c.yml:2: intermediates[0].servers.*.x.y: is no host name", ""},
	{"intermediates:\n- {name: a, servers: {10.0.0.256: }}\n",
	 "c.yml:2: intermediates[0].servers.10.0.0.256: is no host name", ""},
	{"intermediates:\n- {name: a, servers: {chain: }}\n",
	 "c.yml:2: intermediates[0].servers.chain: stands for the authority's bundle and cannot "
	 "be a host's name",
	 ""},
	{"intermediates:\n- name: a\n  servers:\n    "
	 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example.com:\n",
	 "c.yml:4: ", ""},
	{"intermediates:\n- {name: a, servers: {h: [ok, 'n n']}}\n",
	 "c.yml:2: intermediates[0].servers.h[1]: 'n n' is no host name and no address", ""},
	{"intermediates:\n- {name: a, servers: {h: [10.0.0.300]}}\n",
	 "c.yml:2: intermediates[0].servers.h[0]: '10.0.0.300' is no host name and no address", ""},
	{"intermediates:\n- {name: a, servers: {h: {x: 1}}}\n",
	 "c.yml:2: intermediates[0].servers.h: expected a list of names", ""},
	{"intermediates:\n- {name: a, servers: {h: [\"{{ ip }}\"]}}\n",
	 "c.yml:2: intermediates[0].servers.h[0]: a template cannot be used here", ""},
	{"intermediates:\n- {name: a, clients: [chain]}\n",
	 "c.yml:2: intermediates[0].clients[0]: 'chain' stands for the authority's bundle and "
	 "cannot be a user's name",
	 ""},
	{"intermediates:\n- {name: a, clients: [a/b]}\n",
	 "c.yml:2: intermediates[0].clients[0]: 'a/b' cannot be a user's name: at most 64 bytes, "
	 "no slash, no blank at either end",
	 ""},
	{"intermediates:\n- {name: a, clients: [\"a\\tb\"]}\n",
	 "c.yml:2: intermediates[0].clients[0]: must not hold control characters", ""},
	{"intermediates:\n- {name: a, clients: [~]}\n",
	 "c.yml:2: intermediates[0].clients[0]: expected a text", ""},
	{"intermediates:\n- {name: a, servers: {h: }, clients: [h]}\n",
	 "c.yml:2: intermediates[0].clients: 'h' is a server of this authority already", ""},
	{"intermediates:\n- {name: a, clients: [u], keyUsages: [digitalsignature]}\n",
	 "c.yml:2: intermediates[0].keyUsages[0]: 'digitalsignature' is no key usage",
	 "did you mean 'digitalSignature'?"},
	{"intermediates:\n- {name: a, clients: [u], extendedKeyUsages: [clientauth]}\n",
	 "c.yml:2: intermediates[0].extendedKeyUsages[0]: 'clientauth' is no extended key usage",
	 "did you mean 'clientAuth'?"},
	{"intermediates:\n- {name: a, clients: [u], extendedKeyUsages: {}}\n",
	 "c.yml:2: intermediates[0].extendedKeyUsages: expected a list", ""},
	{"key: rsa4069\n", "c.yml:1: key: 'rsa4069' is no key algorithm",
	 "did you mean 'rsa4096'?"},
	{"key: p-521-and-more\n", "c.yml:1: key: 'p-521-and-more' is no key algorithm",
	 "valid are: rsa4096, rsa3072, rsa2048, ecdsa-p256, ecdsa-p384, ed25519"},
	{"intermediates:\n- name: a\n  key: ed25519\n  servers: {h: }\n",
	 "c.yml:3: intermediates[0].key: ed25519 cannot be used for the servers of authority 'a': "
	 "a server certificate signed with Ed25519 breaks SCRAM channel binding",
	 "use ecdsa-p256 for this authority"},
	{"key: ed25519\nintermediates:\n- {name: a, servers: {h: }}\n",
	 "c.yml:3: intermediates[0]: ed25519 cannot be used for the servers of authority 'a': a "
	 "server certificate signed with Ed25519 breaks SCRAM channel binding",
	 "use ecdsa-p256 for this authority"},
	{"days: 0\n",
	 "c.yml:1: days: expected a number from 1 to 2650: an authority is valid no longer", ""},
	{"days: 1y\n",
	 "c.yml:1: days: expected a number from 1 to 2650: an authority is valid no longer", ""},
	{"intermediates:\n- {name: a, clients: [u], days: 3000}\n",
	 "c.yml:2: intermediates[0].days: expected a number from 1 to 2650: an authority is valid "
	 "no longer",
	 ""},
	{"subject: x\n",
	 "c.yml:1: subject: expected a mapping, or a text like /C=NL/O=Acme/CN=postgres", ""},
	{"subject: [x]\n", "c.yml:1: subject: expected a mapping", ""},
	{"subject: {C: [NL]}\n", "c.yml:1: subject.C: expected a text", ""},
	{"intermediates: *x\n", "c.yml:1: ", ""},
	{"intermediates:\n- {name: a, servers: {<<: {h: }}}\n",
	 "c.yml:2: intermediates[0].servers.<<: a merge key cannot be used here", ""},
	{"intermediates:\n- {name: a, servers: {}}\n",
	 "c.yml:2: the servers of authority 'a': inv: No such file or directory", ""},
	{"intermediates:\n- {name: a, servers: {}, hosts: ../x}\n",
	 "c.yml:2: the servers of authority 'a': '../x' leaves the repository",
	 "paths are relative to the repository and stay inside it"},
	{"intermediates:\n- {name: a, servers: {h: }, hosts: gone}\n",
	 "c.yml:2: the servers of authority 'a': gone: No such file or directory", ""},
	{"intermediates: |", "c.yml:1: intermediates: expected a list of authorities", ""},
	{"a: 1\na: 2\n", "c.yml:2: ", ""},
	{"a: [\n", "c.yml:", ""},
};

START_TEST(what_is_wrong_is_said_with_its_place)
{
	struct chain_desc *chain = NULL;
	const char *text = wrong[_i].text;

	ck_assert_msg(chain_parse(&chain, text, strlen(text), "c.yml", dir, "inv", &err) ==
			      ERR_USAGE,
		      "%s", text);
	ck_assert_ptr_null(chain);
	ck_assert_int_eq(err.code, ERR_USAGE);
	/* where the words are libyaml's or the index's, only the place is ours */
	if (str_ends(wrong[_i].message, ":") || str_ends(wrong[_i].message, ": ")) {
		ck_assert_msg(str_starts(err.msg, wrong[_i].message), "%s", err.msg);
	} else {
		ck_assert_str_eq(err.msg, wrong[_i].message);
		ck_assert_str_eq(err.hint, wrong[_i].hint);
	}
}
END_TEST

START_TEST(unknown_keys_are_passed_over_with_a_warning)
{
	struct chain_desc *chain = parse("tmpdir: /tmp\ndayz: 3\nzzzzzzzzzz: 1\nx-anchors: 1\n"
					 "intermediates:\n- name: c\n  client: [u]\n"
					 "  clients: [u]\n  extendedKeyUsages: [serverAuth]\n");

	ck_assert_uint_eq(chain->warnings.count, 4);
	ck_assert_str_eq(chain->warnings.items[0],
			 "c.yml:2: unknown key 'dayz' is passed over (did you mean 'days'?)");
	ck_assert_str_eq(chain->warnings.items[1],
			 "c.yml:3: unknown key 'zzzzzzzzzz' is passed over");
	ck_assert_str_eq(chain->warnings.items[2], "c.yml:7: unknown key 'client' is passed over "
						   "(did you mean 'clients'?)");
	ck_assert_str_eq(chain->warnings.items[3],
			 "c.yml:6: extendedKeyUsages of authority 'c' lack clientAuth: servers "
			 "will refuse its clients");
	chain_free(chain);
	chain = parse(S "{h: }, extendedKeyUsages: [clientAuth]}]");
	ck_assert_uint_eq(chain->warnings.count, 1);
	ck_assert_str_eq(chain->warnings.items[0],
			 "c.yml:1: extendedKeyUsages of authority 's' lack serverAuth: clients "
			 "will refuse its servers");
	chain_free(chain);
}
END_TEST

static const char grouped[] = "all:\n"
			      "  hosts: {ungrouped: }\n"
			      "  children:\n"
			      "    pg:\n"
			      "      hosts:\n"
			      "        db1: {ansible_host: 10.0.0.1}\n"
			      "        db2: {ansible_host: db2.lan}\n"
			      "        db3:\n"
			      "      children: {deep: {hosts: {db4: }}}\n";

START_TEST(hosts_come_from_inventories)
{
	static const struct {
		const char *text, *wanted;
	} rows[] = {
		{S "{}}]", "db1[DNS:db1, IP:10.0.0.1] db2[DNS:db2, DNS:db2.lan] db3[DNS:db3]"},
		{S "}]", "db1[DNS:db1, IP:10.0.0.1] db2[DNS:db2, DNS:db2.lan] db3[DNS:db3]"},
		{S "{db9: }}]", "db9[DNS:db9]"},
		{S "{db9: , db1: }, hosts: ./inv}]",
		 "db9[DNS:db9] db1[DNS:db1] db2[DNS:db2, DNS:db2.lan] db3[DNS:db3]"},
		{S "{db9: }}]\nhosts: inv\n", "db9[DNS:db9] db1[DNS:db1, IP:10.0.0.1] "
					      "db2[DNS:db2, DNS:db2.lan] db3[DNS:db3]"},
		{S "{}, environment: ini}]", "a[DNS:a]"},
		{"intermediates: [{name: s, hosts: ini}]", "a[DNS:a]"},
	};

	file("inv", grouped);
	file("ini", "[g]\na\n");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct chain_desc *chain = parse(rows[i].text);
		char *text = describe(chain), wanted[512];

		(void)snprintf(wanted, sizeof(wanted),
			       "/CN=postgres rsa4096 365; s rsa4096 365 %s clients[] " KU
			       " eku[serverAuth]",
			       rows[i].wanted);
		ck_assert_str_eq(text, wanted);
		free(text);
		chain_free(chain);
	}
}
END_TEST

START_TEST(an_inventory_without_hosts_is_said)
{
	struct chain_desc *chain = NULL;
	const char *text = S "{}}]";

	file("inv", "all:\n  hosts: {a: }\n");
	ck_assert_int_eq(chain_parse(&chain, text, strlen(text), "c.yml", dir, "inv", &err),
			 ERR_USAGE);
	ck_assert_str_eq(err.msg, "c.yml:1: the servers of authority 's': inv: no group below "
				  "'all' has hosts");
	ck_assert_str_eq(err.hint, "");
	file("inv", "a b\n");
	ck_assert_int_eq(chain_parse(&chain, text, strlen(text), "c.yml", dir, "inv", &err),
			 ERR_USAGE);
	ck_assert_str_eq(err.hint, "passed over: inv:1: expected key=value behind a host");
	file("inv", "g: {hosts: {'a b': }}\n");
	ck_assert_int_eq(chain_parse(&chain, text, strlen(text), "c.yml", dir, "inv", &err),
			 ERR_USAGE);
	ck_assert_str_eq(err.msg,
			 "c.yml:1: the servers of authority 's': inv: host 'a b' is no host name");
	/* nothing to read: no inventory is known */
	ck_assert_int_eq(chain_parse(&chain, text, strlen(text), "c.yml", dir, NULL, &err),
			 ERR_USAGE);
	ck_assert_str_eq(err.msg, "c.yml:1: authority 's' has neither servers nor clients");
}
END_TEST

START_TEST(the_fixture_of_chainsmith_is_read)
{
	static const char wanted[] =
		"/C=NL/ST=Utrecht/L=Bilthoven/O=Acme/OU=Postgres bouwblok/CN=postgres rsa4096 365; "
		"server rsa4096 365 db1.example.com[DNS:db1.example.com, IP:10.0.4.42] "
		"db2.example.com[DNS:db2.example.com, IP:10.0.4.43] clients[] "
		"ku[keyEncipherment, dataEncipherment, digitalSignature] eku[serverAuth]; "
		"client rsa4096 365 clients[postgres, avchecker, pgquartz, pgfga, application] "
		"ku[keyEncipherment, dataEncipherment, digitalSignature] eku[clientAuth]";
	struct chain_desc *chain = NULL;
	char *text;

	ck_ok(chain_load(&chain, "tests/data/chainsmith-python", "config/chainsmith_poc.yml",
			 "environments/poc", &err),
	      &err);
	text = describe(chain);
	ck_assert_str_eq(text, wanted);
	ck_assert_str_eq(chain->file, "config/chainsmith_poc.yml");
	ck_assert_uint_eq(chain->warnings.count, 0);
	ck_assert_uint_eq(chain->subject[0].line, 2);
	ck_assert_uint_eq(chain->authorities[0].servers[1].line, 14);
	ck_assert_ptr_eq(chain_authority_find(chain, "client"), &chain->authorities[1]);
	ck_assert_ptr_null(chain_authority_find(chain, "clients"));
	free(text);
	chain_free(chain);
	ck_assert_int_eq(chain_load(&chain, "tests/data/chainsmith-python", "none.yml", NULL, &err),
			 ERR_NOENT);
	ck_contains(err.msg, "none.yml: No such file or directory");
	ck_assert_str_eq(err.hint,
			 "'chain' in certrotate.yml says where the chain's description is");
}
END_TEST

START_TEST(many_names_are_no_burden_and_too_many_an_error)
{
	struct chain_desc *chain = NULL;
	struct buf buf;

	buf_init(&buf, 16 << 20);
	buf_adds(&buf, "intermediates:\n- name: s\n  servers:\n");
	for (int i = 0; i < 10000; i++)
		buf_addf(&buf, "    db%d.example.com: [10.0.%d.%d]\n", i, i / 256, i % 256);
	buf_adds(&buf, "- name: c\n  clients:\n");
	for (int i = 0; i < 90000; i++)
		buf_addf(&buf, "  - user%d\n", i);
	ck_ok(chain_parse(&chain, buf.data, buf.len, "c.yml", dir, NULL, &err), &err);
	ck_assert_uint_eq(chain->authorities[0].server_count, 10000);
	ck_assert_uint_eq(chain->authorities[1].clients.count, 90000);
	chain_free(chain);
	buf_adds(&buf, "  - one_more\n");
	ck_assert_int_eq(chain_parse(&chain, buf.data, buf.len, "c.yml", dir, NULL, &err),
			 ERR_USAGE);
	ck_assert_str_eq(err.msg, "c.yml:100006: intermediates[1].clients[90000]: more than 100000 "
				  "servers and clients");
	buf_release(&buf);
}
END_TEST

START_TEST(names_are_classified)
{
	static const struct {
		const char *text;
		enum chain_name_kind kind;
		const char *plain; /* NULL: none of them */
	} rows[] = {
		{"db1", CHAIN_NAME_DNS, "db1"},
		{"DB-1.example.com", CHAIN_NAME_DNS, "DB-1.example.com"},
		{"a_b.c", CHAIN_NAME_DNS, "a_b.c"},
		{"*.example.com", CHAIN_NAME_DNS, "*.example.com"},
		{"10.0.4.42", CHAIN_NAME_IP, "10.0.4.42"},
		{"FD00:0:0:0::1", CHAIN_NAME_IP, "fd00::1"},
		{"a.b@c.nl", CHAIN_NAME_EMAIL, "a.b@c.nl"},
		{"spiffe://a/b", CHAIN_NAME_URI, "spiffe://a/b"},
		{"", CHAIN_NAME_DNS, NULL},
		{"*", CHAIN_NAME_DNS, NULL},
		{"*.com", CHAIN_NAME_DNS, NULL},
		{"a.*.b", CHAIN_NAME_DNS, NULL},
		{"-a", CHAIN_NAME_DNS, NULL},
		{"a-", CHAIN_NAME_DNS, NULL},
		{"a-.b", CHAIN_NAME_DNS, NULL},
		{"a..b", CHAIN_NAME_DNS, NULL},
		{"a.", CHAIN_NAME_DNS, NULL},
		{".a", CHAIN_NAME_DNS, NULL},
		{"a b", CHAIN_NAME_DNS, NULL},
		{"a/b", CHAIN_NAME_DNS, NULL},
		{"10.0.0", CHAIN_NAME_DNS, NULL},
		{"10.0.0.256", CHAIN_NAME_DNS, NULL},
		{"10.0.4.*31", CHAIN_NAME_DNS, NULL},
		{"fd00::g", CHAIN_NAME_DNS, NULL},
		{"DNS:db1", CHAIN_NAME_DNS, NULL},
		{"a@b", CHAIN_NAME_DNS, NULL},
		{"http://", CHAIN_NAME_DNS, NULL},
		{"\xc3\xa9.nl", CHAIN_NAME_DNS, NULL},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum chain_name_kind kind;
		char plain[64];
		bool is = chain_name_classify(&kind, rows[i].text, plain, sizeof(plain));

		ck_assert_msg(is == (rows[i].plain != NULL), "%s", rows[i].text);
		if (!is)
			continue;
		ck_assert_msg(kind == rows[i].kind, "%s", rows[i].text);
		ck_assert_str_eq(plain, rows[i].plain);
	}
}
END_TEST

Suite *chain_suite(void)
{
	Suite *suite = suite_create("chain");
	TCase *tc = tcase_create("chain");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, every_form_is_read, 0, (int)(sizeof(good) / sizeof(good[0])));
	tcase_add_loop_test(tc, what_is_wrong_is_said_with_its_place, 0,
			    (int)(sizeof(wrong) / sizeof(wrong[0])));
	tcase_add_test(tc, unknown_keys_are_passed_over_with_a_warning);
	tcase_add_test(tc, hosts_come_from_inventories);
	tcase_add_test(tc, an_inventory_without_hosts_is_said);
	tcase_add_test(tc, the_fixture_of_chainsmith_is_read);
	tcase_add_test(tc, many_names_are_no_burden_and_too_many_an_error);
	tcase_add_test(tc, names_are_classified);
	suite_add_tcase(suite, tc);
	return suite;
}
