/* SPDX-License-Identifier: PostgreSQL */
#include "net/alert.h"

#include <stddef.h>
#include <string.h>

static const struct {
	int number;
	bool refuses;
	const char *text;
} alerts[] = {
	{0, false, "close notify"},
	{10, false, "unexpected message"},
	{20, false, "bad record mac"},
	{21, false, "decryption failed"},
	{22, false, "record overflow"},
	{30, false, "decompression failure"},
	{40, true, "handshake failure"},
	{41, true, "no certificate"},
	{42, true, "bad certificate"},
	{43, true, "unsupported certificate"},
	{44, true, "certificate revoked"},
	{45, true, "certificate expired"},
	{46, true, "certificate unknown"},
	{47, false, "illegal parameter"},
	{48, true, "unknown ca"},
	{49, true, "access denied"},
	{50, false, "decode error"},
	{51, true, "decrypt error"},
	{60, false, "export restriction"},
	{70, false, "protocol version"},
	{71, false, "insufficient security"},
	{80, false, "internal error"},
	{86, false, "inappropriate fallback"},
	{90, false, "user canceled"},
	{100, false, "no renegotiation"},
	{109, false, "missing extension"},
	{110, false, "unsupported extension"},
	{111, false, "certificate unobtainable"},
	{112, false, "unrecognized name"},
	{113, false, "bad certificate status response"},
	{115, false, "unknown psk identity"},
	{116, true, "certificate required"},
	{120, false, "no application protocol"},
};

const char *alert_text(int alert)
{
	for (size_t i = 0; i < sizeof(alerts) / sizeof(alerts[0]); i++) {
		if (alerts[i].number == alert)
			return alerts[i].text;
	}
	return "an alert without a name";
}

bool alert_refuses(int alert)
{
	for (size_t i = 0; i < sizeof(alerts) / sizeof(alerts[0]); i++) {
		if (alerts[i].number == alert)
			return alerts[i].refuses;
	}
	return false;
}

int alert_number(const char *text)
{
	for (size_t i = 0; i < sizeof(alerts) / sizeof(alerts[0]); i++) {
		if (!strcmp(alerts[i].text, text))
			return alerts[i].number;
	}
	return -1;
}
