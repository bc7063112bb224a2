/* SPDX-License-Identifier: PostgreSQL */
#include "inventory/chain_names.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>
#include <strings.h>
#include "inventory/chain.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define CN_MAX	 64 /* RFC 5280 appendix A.1, ub-common-name */
#define HOST_MAX 253
#define ALPHA	 "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS	 "0123456789"

const char *const *chain_key_names(size_t *count)
{
	static const char *const names[] = {"rsa4096",	  "rsa3072",	"rsa2048",
					    "ecdsa-p256", "ecdsa-p384", "ed25519"};

	*count = COUNT(names);
	return names;
}

/* RFC 5280 section 4.2.1.3; "certSign" is the Go chainsmith's. */
static const char *const key_words[] = {
	"digitalSignature", "nonRepudiation", "keyEncipherment", "dataEncipherment", "keyAgreement",
	"keyCertSign",	    "cRLSign",	      "encipherOnly",	 "decipherOnly",     "certSign"};

/* OpenSSL's short names, then the Go chainsmith's words (two of them misspelt there). */
static const char *const ext_words[] = {"serverAuth",
					"clientAuth",
					"codeSigning",
					"emailProtection",
					"timeStamping",
					"OCSPSigning",
					"ipsecEndSystem",
					"ipsecTunnel",
					"ipsecUser",
					"anyExtendedKeyUsage",
					"msSGC",
					"nsSGC",
					"msCodeCom",
					"any",
					"timestamping",
					"ocpsSigning",
					"ipSecEndSystem",
					"ipSecTunnel",
					"ipSecUser",
					"microsoftServerGatedCrypto",
					"metscapeServerGatedCrypto",
					"microsoftCommercialCodeSigning",
					"microsoftKernelCodeSigning"};

/* What OpenSSL calls it where a word is not its own. */
static const struct {
	const char *word, *name;
} others[] = {
	{"certSign", "keyCertSign"},
	{"any", "anyExtendedKeyUsage"},
	{"timestamping", "timeStamping"},
	{"ocpsSigning", "OCSPSigning"},
	{"ipSecEndSystem", "ipsecEndSystem"},
	{"ipSecTunnel", "ipsecTunnel"},
	{"ipSecUser", "ipsecUser"},
	{"microsoftServerGatedCrypto", "msSGC"},
	{"metscapeServerGatedCrypto", "nsSGC"},
	{"microsoftCommercialCodeSigning", "msCodeCom"},
	{"microsoftKernelCodeSigning", "1.3.6.1.4.1.311.61.1.1"},
};

static bool is_oid(const char *word)
{
	size_t len = strlen(word);

	return len > 2 && len < 128 && strspn(word, DIGITS ".") == len && strchr(word, '.') &&
	       !strstr(word, "..") && word[0] >= '0' && word[0] <= '2' && word[1] == '.' &&
	       word[len - 1] != '.';
}

static const char *usual_name(const char *word)
{
	for (size_t i = 0; i < COUNT(others); i++) {
		if (!strcmp(others[i].word, word))
			return others[i].name;
	}
	return word;
}

const char *chain_usage_name(const char *word, bool extended)
{
	size_t count;
	const char *const *words = chain_usage_words(extended, &count);

	for (size_t i = 0; i < count; i++) {
		if (!strcmp(words[i], word))
			return usual_name(words[i]);
	}
	return extended && is_oid(word) ? word : NULL;
}

const char *const *chain_usage_words(bool extended, size_t *count)
{
	*count = extended ? COUNT(ext_words) : COUNT(key_words);
	return extended ? ext_words : key_words;
}

const char *chain_attr_name(const char *word)
{
	/* the Go chainsmith's PC, STREET and UID; its reader does not mind upper and lower case */
	static const struct {
		const char *word, *name;
	} attrs[] = {
		{"C", "C"},
		{"ST", "ST"},
		{"L", "L"},
		{"O", "O"},
		{"OU", "OU"},
		{"CN", "CN"},
		{"PC", "postalCode"},
		{"STREET", "street"},
		{"UID", "UID"},
		{"postalCode", "postalCode"},
		{"serialNumber", "serialNumber"},
		{"emailAddress", "emailAddress"},
	};

	for (size_t i = 0; i < COUNT(attrs); i++) {
		if (!strcasecmp(attrs[i].word, word))
			return attrs[i].name;
	}
	return word;
}

bool chain_name_plain(const char *text)
{
	size_t len = strlen(text);

	if (!len || len > CN_MAX || strchr(text, '/'))
		return false;
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			return false;
	}
	return text[0] != ' ' && text[len - 1] != ' ';
}

bool chain_name_is_host(const char *text, size_t len)
{
	size_t label = 0;

	if (!len || len > HOST_MAX)
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = text[i];
		bool edge = !label || i + 1 == len || text[i + 1] == '.';

		if (c == '.') {
			if (!label)
				return false;
			label = 0;
			continue;
		}
		if (!isascii((unsigned char)c) || !c || !strchr(ALPHA DIGITS "-_", c) ||
		    (edge && c == '-') || ++label > 63)
			return false;
	}
	return label > 0;
}

static bool is_address(const char *text, char *out, size_t size)
{
	static const int families[] = {AF_INET, AF_INET6};
	char shortest[INET6_ADDRSTRLEN];
	unsigned char address[16];

	for (size_t i = 0; i < COUNT(families); i++) {
		if (inet_pton(families[i], text, address) != 1)
			continue;
		if (out && (!inet_ntop(families[i], address, shortest, sizeof(shortest)) ||
			    strlen(shortest) >= size))
			return false;
		if (out)
			memcpy(out, shortest, strlen(shortest) + 1);
		return true;
	}
	return false;
}

static bool is_email(const char *text)
{
	const char *at = strchr(text, '@');
	size_t local = at ? (size_t)(at - text) : 0;

	return at && local && strspn(text, ALPHA DIGITS "._%+-") == local && strchr(at + 1, '.') &&
	       chain_name_is_host(at + 1, strlen(at + 1));
}

static bool is_uri(const char *text)
{
	size_t scheme = strspn(text, ALPHA DIGITS "+-.");

	if (!scheme || !isalpha((unsigned char)text[0]) || strncmp(text + scheme, "://", 3) != 0 ||
	    !text[scheme + 3])
		return false;
	for (const char *c = text; *c; c++) {
		if (*c <= ' ' || *c == 0x7f || strchr("\"<>\\^`{|}", *c))
			return false;
	}
	return true;
}

bool chain_name_classify(enum chain_name_kind *kind, const char *text, char *out, size_t size)
{
	const char *host = !strncmp(text, "*.", 2) ? text + 2 : text;
	size_t len = strlen(text);

	if (is_address(text, out, size)) {
		*kind = CHAIN_NAME_IP;
		return true;
	}
	if (chain_name_is_host(host, strlen(host)) && (host == text || strchr(host, '.')))
		*kind = CHAIN_NAME_DNS;
	else if (is_email(text))
		*kind = CHAIN_NAME_EMAIL;
	else if (is_uri(text))
		*kind = CHAIN_NAME_URI;
	else
		return false;
	/* four numbers with dots that are no address are a mistyped one, not a host */
	if (*kind == CHAIN_NAME_DNS && strspn(text, DIGITS ".") == len && strchr(text, '.'))
		return false;
	if (out && len >= size)
		return false;
	if (out)
		memcpy(out, text, len + 1);
	return true;
}
