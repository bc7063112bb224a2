/* SPDX-License-Identifier: PostgreSQL */
#include "base/utf8.h"

size_t utf8_get(uint32_t *number, const char *text, size_t len)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	unsigned char first = len ? (unsigned char)text[0] : 0xff;
	size_t bytes = first < 0x80   ? 1
		       : first < 0xc2 ? 0
		       : first < 0xe0 ? 2
		       : first < 0xf0 ? 3
				      : 4;
	uint32_t value = first;

	if (!bytes || bytes > len || first > 0xf4)
		return 0;
	if (bytes > 1)
		value &= 0xffU >> (bytes + 1);
	for (size_t i = 1; i < bytes; i++) {
		unsigned char c = (unsigned char)text[i];

		if ((c & 0xc0) != 0x80)
			return 0;
		value = value << 6 | (c & 0x3f);
	}
	if (value < least[bytes] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
		return 0;
	*number = value;
	return bytes;
}

bool utf8_is_harmful(uint32_t number)
{
	static const struct {
		uint32_t first, last;
	} ranges[] = {
		{0x00, 0x1f},	  {0x7f, 0x9f},	      {0x61c, 0x61c},	{0x200b, 0x200b},
		{0x200e, 0x200f}, {0x2028, 0x202e},   {0x2060, 0x206f}, {0xfeff, 0xfeff},
		{0xfff9, 0xfffb}, {0xe0000, 0xe007f},
	};

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		if (number >= ranges[i].first && number <= ranges[i].last)
			return true;
	}
	return false;
}
