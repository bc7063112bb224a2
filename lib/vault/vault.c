/* SPDX-License-Identifier: PostgreSQL */
#include "vault/vault.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdlib.h>
#include <string.h>

#include "vault/envelope.h"

#define ROUNDS	     10000
#define BLOCK	     ((size_t)16)
#define STEP	     ((size_t)1 << 20)
#define PIECE	     ((size_t)16 << 10)
#define ORIGINS_SIZE 800

struct keys {
	unsigned char cipher[32];
	unsigned char hmac[32];
	unsigned char counter[16];
};

_Static_assert(sizeof(struct keys) == 80, "the derived bytes are used as one block");

static int no_hmac(struct err *err)
{
	return err_set(err, ERR_FAIL, "cannot compute the vault's HMAC");
}

static int no_cipher(struct err *err)
{
	return err_set(err, ERR_FAIL, "cannot run the vault's cipher");
}

static int derive(struct keys *out, const struct secret *password, const unsigned char *salt,
		  size_t salt_len, struct err *err)
{
	if (PKCS5_PBKDF2_HMAC(password->data, (int)password->len, salt, (int)salt_len, ROUNDS,
			      EVP_sha256(), sizeof(*out), (unsigned char *)out) != 1)
		return err_starved() ? err_nomem(err)
				     : err_set(err, ERR_FAIL, "cannot derive the vault's keys");
	return 0;
}

/* NULL, and err is set. */
static EVP_MAC_CTX *new_mac(const struct keys *keys, struct err *err)
{
	char digest[] = "SHA256";
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end()};
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *ctx = mac ? EVP_MAC_CTX_new(mac) : NULL;

	EVP_MAC_free(mac);
	if (ctx && EVP_MAC_init(ctx, keys->hmac, sizeof(keys->hmac), params) == 1)
		return ctx;
	EVP_MAC_CTX_free(ctx);
	(void)no_hmac(err);
	return NULL;
}

static int add_to_hmac(void *ctx, const unsigned char *piece, size_t len, struct err *err)
{
	return EVP_MAC_update(ctx, piece, len) == 1 ? 0 : no_hmac(err);
}

static int end_hmac(unsigned char out[ENVELOPE_HMAC_SIZE], EVP_MAC_CTX *ctx, struct err *err)
{
	size_t len = 0;

	return EVP_MAC_final(ctx, out, &len, ENVELOPE_HMAC_SIZE) == 1 && len == ENVELOPE_HMAC_SIZE
		       ? 0
		       : no_hmac(err);
}

static int checksum(unsigned char out[ENVELOPE_HMAC_SIZE], const struct keys *keys,
		    const unsigned char *data, size_t len, struct err *err)
{
	EVP_MAC_CTX *ctx = new_mac(keys, err);
	int rc = ctx ? add_to_hmac(ctx, data, len, err) : ERR_FAIL;

	rc = rc ? rc : end_hmac(out, ctx, err);
	EVP_MAC_CTX_free(ctx);
	return rc;
}

/* NULL, and err is set. */
static EVP_CIPHER_CTX *new_cipher(const struct keys *keys, struct err *err)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

	if (ctx &&
	    EVP_EncryptInit_ex2(ctx, EVP_aes_256_ctr(), keys->cipher, keys->counter, NULL) == 1)
		return ctx;
	EVP_CIPHER_CTX_free(ctx);
	(void)no_cipher(err);
	return NULL;
}

/* In the counter mode, encrypting and decrypting are one; out may be data. */
static int run_cipher(EVP_CIPHER_CTX *ctx, unsigned char *out, const void *data, size_t len,
		      struct err *err)
{
	int done = 0;

	return EVP_EncryptUpdate(ctx, out, &done, data, (int)len) == 1 && (size_t)done == len
		       ? 0
		       : no_cipher(err);
}

static int decrypt(const struct keys *keys, unsigned char *data, size_t len, struct err *err)
{
	EVP_CIPHER_CTX *ctx = new_cipher(keys, err);
	int rc = ctx ? 0 : ERR_FAIL;

	for (size_t at = 0; !rc && at < len; at += STEP)
		rc = run_cipher(ctx, data + at, data + at, len - at < STEP ? len - at : STEP, err);
	EVP_CIPHER_CTX_free(ctx);
	return rc;
}

/* 1: opened; 0: this password does not fit; negative: failed for another reason. */
static int try_password(struct envelope *envelope, const struct secret *password, struct err *err)
{
	unsigned char hmac[ENVELOPE_HMAC_SIZE];
	struct keys keys;
	int rc = derive(&keys, password, envelope->salt, envelope->salt_len, err);

	if (!rc)
		rc = checksum(hmac, &keys, envelope->body, envelope->body_len, err);
	if (!rc && CRYPTO_memcmp(hmac, envelope->hmac, sizeof(hmac)) == 0) {
		rc = decrypt(&keys, envelope->body, envelope->body_len, err);
		rc = rc ? rc : 1;
	}
	OPENSSL_cleanse(&keys, sizeof(keys));
	return rc;
}

/* The padding of RFC 5652, section 6.3. */
static int strip_padding(struct secret *out, struct envelope *envelope, const char *name,
			 struct err *err)
{
	unsigned char *body = envelope->body;
	size_t len = envelope->body_len;
	size_t pad = body[len - 1];
	bool ok = pad >= 1 && pad <= BLOCK && pad <= len;

	for (size_t i = 1; ok && i <= pad; i++)
		ok = body[len - i] == pad;
	if (!ok) {
		OPENSSL_cleanse(body, len);
		return err_set(err, ERR_FAIL,
			       "%s: the password fits, but the vault's padding is bad: "
			       "not written by ansible-vault",
			       name);
	}
	memset(body + len - pad, 0, pad);
	out->data = (char *)body;
	out->len = len - pad;
	out->data[out->len] = '\0';
	return 0;
}

static int none_fits(const struct vault_passwords *passwords, const char *label, size_t tried,
		     const char *name, struct err *err)
{
	char origins[ORIGINS_SIZE];
	struct strs from = STRS_INIT;

	if (!tried && passwords->count) {
		(void)err_set(err, ERR_FAIL, "%s: there is no vault password with the label '%s'",
			      name, label);
		return err_hint(err, "vault_id_match is set, so no other password is tried");
	}
	if (!tried) {
		(void)err_set(err, ERR_FAIL, "%s: there is no vault password", name);
		return err_hint(err, "set ANSIBLE_VAULT_PASSWORD_FILE, or vault_password_file in "
				     "ansible.cfg, or vault_password in certrotate.yml");
	}
	for (size_t i = 0; i < passwords->count; i++)
		if (strs_add_unique(&from, passwords->items[i].origin, NULL))
			break;
	strs_join(&from, 5, origins, sizeof(origins));
	strs_release(&from);
	(void)err_set(err, ERR_FAIL, "%s: wrong password, or the file was changed", name);
	return err_hint(err, "the password came from %s", origins);
}

int vault_decrypt(struct secret *out, struct vault_used *used, struct arena *arena,
		  const char *text, size_t len, const char *name,
		  const struct vault_passwords *passwords, struct err *err)
{
	struct envelope envelope;
	const char *label;
	size_t tried = 0;
	int rc = envelope_parse(&envelope, arena, text, len, name, err);

	if (rc)
		return rc;
	label = envelope.label[0] ? envelope.label : "default";
	for (int others = 0; others < (passwords->id_match ? 1 : 2); others++) {
		for (size_t i = 0; i < passwords->count; i++) {
			const struct vault_password *password = &passwords->items[i];

			if ((strcmp(password->label, label) != 0) != others)
				continue;
			tried++;
			rc = try_password(&envelope, &password->text, err);
			if (rc < 0)
				return err_prefix(err, "%s", name);
			if (!rc)
				continue;
			if (used) {
				used->password = i;
				memcpy(used->label, envelope.label, sizeof(used->label));
			}
			return strip_padding(out, &envelope, name, err);
		}
	}
	return none_fits(passwords, label, tried, name, err);
}

static int check_label(const char *label, struct err *err)
{
	size_t len = strlen(label);
	bool ok = len < VAULT_LABEL_SIZE;

	for (size_t i = 0; ok && i < len; i++)
		ok = label[i] > ' ' && label[i] <= '~' && label[i] != ';';
	if (!ok)
		return err_set(err, ERR_USAGE, "'%.60s' cannot be a vault's label", label);
	return 0;
}

/* ---- the cipher text in pieces: made twice, once for the HMAC that stands before it, kept never
 */

typedef int piece_fn(void *ctx, const unsigned char *piece, size_t len, struct err *err);

static int encrypt_piece(EVP_CIPHER_CTX *cipher, const void *plain, size_t len, piece_fn *fn,
			 void *ctx, struct err *err)
{
	unsigned char piece[PIECE];
	int rc = run_cipher(cipher, piece, plain, len, err);

	return rc ? rc : fn(ctx, piece, len, err);
}

/* Padded by PKCS#7. */
static int encrypt_last(EVP_CIPHER_CTX *cipher, const struct secret *plain, size_t at, piece_fn *fn,
			void *ctx, struct err *err)
{
	size_t left = plain->len - at;
	unsigned char last[BLOCK];
	int rc;

	memset(last, (int)(BLOCK - left), sizeof(last));
	if (left)
		memcpy(last, plain->data + at, left);
	rc = encrypt_piece(cipher, last, sizeof(last), fn, ctx, err);
	OPENSSL_cleanse(last, sizeof(last));
	return rc;
}

static int encrypt(const struct keys *keys, const struct secret *plain, piece_fn *fn, void *ctx,
		   struct err *err)
{
	EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
	size_t whole = plain->len / BLOCK * BLOCK, at = 0;
	int rc = 0;

	if (!cipher ||
	    EVP_EncryptInit_ex2(cipher, EVP_aes_256_ctr(), keys->cipher, keys->counter, NULL) != 1)
		rc = err_set(err, ERR_FAIL, "cannot run the vault's cipher");
	while (at < whole && !rc) {
		size_t len = whole - at < PIECE ? whole - at : PIECE;

		rc = encrypt_piece(cipher, plain->data + at, len, fn, ctx, err);
		at += len;
	}
	rc = rc ? rc : encrypt_last(cipher, plain, at, fn, ctx, err);
	EVP_CIPHER_CTX_free(cipher);
	return rc;
}

static int hmac_ahead(unsigned char out[ENVELOPE_HMAC_SIZE], const struct keys *keys,
		      const struct secret *plain, struct err *err)
{
	EVP_MAC_CTX *ctx = new_mac(keys, err);
	int rc = ctx ? encrypt(keys, plain, add_to_hmac, ctx, err) : ERR_FAIL;

	rc = rc ? rc : end_hmac(out, ctx, err);
	EVP_MAC_CTX_free(ctx);
	return rc;
}

static int add_to_text(void *ctx, const unsigned char *piece, size_t len, struct err *err)
{
	return envelope_add(ctx, piece, len, err);
}

/* ---- a vault */

static int check_new(const char **label, const struct secret *plain,
		     const struct vault_password *password, struct err *err)
{
	if (!password) {
		(void)err_set(err, ERR_USAGE, "there is no vault password to encrypt with");
		return err_hint(err, "vault_encrypt_identity in ansible.cfg names a vault id that "
				     "has no password");
	}
	if (!*label)
		*label = password->label;
	if (strcmp(*label, "default") == 0)
		*label = "";
	if (check_label(*label, err))
		return err->code;
	if (plain->len > VAULT_TEXT_MAX / 5)
		return err_set(err, ERR_FAIL, "%zu bytes are too much for a vault", plain->len);
	if (plain->len && vault_is(plain->data, plain->len))
		return err_set(err, ERR_FAIL, "the text is a vault already");
	return 0;
}

int vault_encrypt_to(vault_put_fn *put, void *ctx, const struct secret *plain,
		     const struct vault_password *password, const char *label, struct sys *sys,
		     struct err *err)
{
	unsigned char salt[ENVELOPE_SALT_SIZE], hmac[ENVELOPE_HMAC_SIZE];
	struct envelope_writer *writer;
	struct keys keys;
	int rc = check_new(&label, plain, password, err);

	if (rc)
		return rc;
	writer = malloc(sizeof(*writer));
	if (!writer)
		return err_nomem(err);
	rc = sys->random(sys, salt, sizeof(salt), err);
	rc = rc ? rc : derive(&keys, &password->text, salt, sizeof(salt), err);
	rc = rc ? rc : hmac_ahead(hmac, &keys, plain, err);
	rc = rc ? rc : envelope_begin(writer, put, ctx, label, salt, hmac, err);
	rc = rc ? rc : encrypt(&keys, plain, add_to_text, writer, err);
	rc = rc ? rc : envelope_end(writer, err);
	OPENSSL_cleanse(&keys, sizeof(keys));
	free(writer);
	return rc;
}

struct whole {
	struct buf *out;
	size_t room; /* for all of it; 0: asked for */
};

static int put_to_buf(void *ctx, const char *text, size_t len, struct err *err)
{
	struct whole *whole = ctx;

	buf_reserve(whole->out, whole->room);
	whole->room = 0;
	buf_add(whole->out, text, len);
	return buf_check(whole->out, "the vault", err);
}

int vault_encrypt(struct buf *out, const struct secret *plain,
		  const struct vault_password *password, const char *label, struct sys *sys,
		  struct err *err)
{
	struct whole whole = {out, envelope_size((plain->len / BLOCK + 1) * BLOCK)};

	return vault_encrypt_to(put_to_buf, &whole, plain, password, label, sys, err);
}
