/* SPDX-License-Identifier: PostgreSQL */
/*
 * The implicit types of plain scalars, by the patterns of PyYAML 6 (yaml/resolver.py), which are
 * those of https://yaml.org/type/ with a sign in the exponent of floats.
 */
#include "inventory/yaml.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS "0123456789"

static bool one_of(const char *text, const char *const *words)
{
	for (; *words; words++) {
		if (!strcmp(text, *words))
			return true;
	}
	return false;
}

/* Skips minutes and seconds of a number to the base of 60, ":[0-5]?[0-9]" each. */
static const char *skip_sexagesimal(const char *text)
{
	while (text[0] == ':') {
		size_t n = strspn(text + 1, DIGITS);

		if (n == 0 || n > 2 || (n == 2 && text[1] > '5'))
			break;
		text += 1 + n;
	}
	return text;
}

static bool is_int(const char *text)
{
	size_t n;

	if (*text == '-' || *text == '+')
		text++;
	if (text[0] == '0' && text[1] == 'b') {
		n = strspn(text + 2, "01_");
		return n > 0 && !text[2 + n];
	}
	if (text[0] == '0' && text[1] == 'x') {
		n = strspn(text + 2, DIGITS "abcdefABCDEF_");
		return n > 0 && !text[2 + n];
	}
	if (text[0] == '0')
		return !text[1 + strspn(text + 1, "01234567_")];
	if (text[0] < '1' || text[0] > '9')
		return false;
	text += strspn(text, DIGITS "_");
	return !*text || (*text == ':' && !*skip_sexagesimal(text));
}

/* Whether the text is nothing or an exponent with its sign. */
static bool is_exponent(const char *text)
{
	size_t n;

	if (!*text)
		return true;
	if ((*text != 'e' && *text != 'E') || (text[1] != '-' && text[1] != '+'))
		return false;
	n = strspn(text + 2, DIGITS);
	return n > 0 && !text[2 + n];
}

static bool is_float(const char *text)
{
	static const char *const nan[] = {".nan", ".NaN", ".NAN", NULL};
	static const char *const inf[] = {".inf", ".Inf", ".INF", NULL};
	const char *rest;

	if (one_of(text, nan))
		return true;
	if (text[0] == '.' && text[1] >= '0' && text[1] <= '9')
		return is_exponent(text + 1 + strspn(text + 1, DIGITS "_"));
	if (*text == '-' || *text == '+')
		text++;
	if (one_of(text, inf))
		return true;
	if (*text < '0' || *text > '9')
		return false;
	rest = text + strspn(text, DIGITS "_");
	if (*rest == ':') {
		rest = skip_sexagesimal(rest);
		return *rest == '.' && !rest[1 + strspn(rest + 1, DIGITS "_")];
	}
	return *rest == '.' && is_exponent(rest + 1 + strspn(rest + 1, DIGITS "_"));
}

/* Skips between min and max digits; NULL where they are not there, or text is NULL. */
static const char *digits(const char *text, size_t min, size_t max)
{
	size_t n = text ? strspn(text, DIGITS) : 0;

	return n >= min && n <= max && text ? text + n : NULL;
}

static const char *skip(const char *text, const char *set)
{
	return text && *text && strchr(set, *text) ? text + 1 : NULL;
}

static bool is_timestamp(const char *text)
{
	const char *day = skip(digits(skip(digits(text, 4, 4), "-"), 1, 2), "-");
	const char *rest = digits(day, 1, 2);

	if (!rest)
		return false;
	if (!*rest)
		return strlen(text) == 10;
	if (*rest == 'T' || *rest == 't')
		rest++;
	else if (*rest == ' ' || *rest == '\t')
		rest += strspn(rest, " \t");
	else
		return false;
	rest = digits(skip(digits(skip(digits(rest, 1, 2), ":"), 2, 2), ":"), 2, 2);
	if (!rest)
		return false;
	if (*rest == '.')
		rest += 1 + strspn(rest + 1, DIGITS);
	if (!*rest)
		return true;
	rest += strspn(rest, " \t");
	if (*rest == 'Z')
		return !rest[1];
	rest = digits(skip(rest, "+-"), 1, 2);
	if (rest && *rest == ':')
		rest = digits(rest + 1, 2, 2);
	return rest && !*rest;
}

enum yaml_type yaml_plain_type(const char *text)
{
	static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
	static const char *const bools[] = {"yes",  "Yes",  "YES",   "no",    "No",    "NO", "true",
					    "True", "TRUE", "false", "False", "FALSE", "on", "On",
					    "ON",   "off",  "Off",   "OFF",   NULL};

	if (one_of(text, nulls))
		return YAML_TYPE_NULL;
	if (one_of(text, bools))
		return YAML_TYPE_BOOL;
	if (is_int(text))
		return YAML_TYPE_INT;
	if (is_float(text))
		return YAML_TYPE_FLOAT;
	if (is_timestamp(text) || !strcmp(text, "<<") || !strcmp(text, "="))
		return YAML_TYPE_OTHER;
	return YAML_TYPE_STR;
}

static enum yaml_type type_of_tag(const char *tag)
{
	static const struct {
		const char *tag;
		enum yaml_type type;
	} rows[] = {
		{"!", YAML_TYPE_STR},
		{"tag:yaml.org,2002:str", YAML_TYPE_STR},
		{"tag:yaml.org,2002:null", YAML_TYPE_NULL},
		{"tag:yaml.org,2002:bool", YAML_TYPE_BOOL},
		{"tag:yaml.org,2002:int", YAML_TYPE_INT},
		{"tag:yaml.org,2002:float", YAML_TYPE_FLOAT},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (!strcmp(tag, rows[i].tag))
			return rows[i].type;
	}
	return YAML_TYPE_OTHER;
}

enum yaml_type yaml_type(const struct yaml_node *node)
{
	if (!node || node->kind != YAML_KIND_SCALAR)
		return YAML_TYPE_OTHER;
	if (node->tag)
		return type_of_tag(node->tag);
	if (node->style != YAML_STYLE_PLAIN)
		return YAML_TYPE_STR;
	return yaml_plain_type(node->value);
}

bool yaml_is_null(const struct yaml_node *node)
{
	return !node || yaml_type(node) == YAML_TYPE_NULL;
}

bool yaml_bool(const struct yaml_node *node, bool *out)
{
	static const char *const yes[] = {"yes",  "Yes", "YES", "true", "True",
					  "TRUE", "on",	 "On",	"ON",	NULL};

	if (yaml_type(node) != YAML_TYPE_BOOL || yaml_plain_type(node->value) != YAML_TYPE_BOOL)
		return false;
	*out = one_of(node->value, yes);
	return true;
}

/* The digits of text without their underscores, which YAML 1.1 allows anywhere. */
static bool plain_digits(char *out, size_t size, const char *text)
{
	size_t len = 0;

	for (; *text; text++) {
		if (*text == '_')
			continue;
		if (len + 1 == size)
			return false;
		out[len++] = *text;
	}
	out[len] = '\0';
	return len > 0;
}

bool yaml_int(const struct yaml_node *node, int64_t *out)
{
	char text[80];
	const char *at = text;
	char *end = NULL;
	int base = 10;
	bool minus;

	if (yaml_type(node) != YAML_TYPE_INT || !is_int(node->value) || strchr(node->value, ':') ||
	    !plain_digits(text, sizeof(text), node->value))
		return false;
	minus = *at == '-';
	at += *at == '-' || *at == '+';
	if (at[0] == '0' && (at[1] == 'x' || at[1] == 'b')) {
		base = at[1] == 'x' ? 16 : 2;
		at += 2;
	} else if (at[0] == '0' && at[1]) {
		base = 8;
	}
	errno = 0;
	*out = strtoll(at, &end, base);
	if (errno || end == at || *end)
		return false;
	if (minus)
		*out = -*out;
	return true;
}
