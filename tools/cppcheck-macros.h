/* SPDX-License-Identifier: PostgreSQL */
/* What cppcheck would stumble over, because it does not read OpenSSL's headers. */
#define static_ASN1_SEQUENCE_END(type) ;
