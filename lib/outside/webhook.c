/* SPDX-License-Identifier: PostgreSQL */
#include "outside/webhook.h"

#include <stdio.h>
#include <string.h>

#include "pki/hmac.h"
#include "secret/source.h"

#define SIGNATURE_SIZE (HMAC_SIZE + 64)

int webhook_target(struct webhook_target *out, struct arena *arena,
		   const struct webhook_source *source, struct err *err)
{
	int rc;

	*out = (struct webhook_target){{0}, {0}};
	if (source->url_file)
		rc = secret_from_file(&out->url, arena, source->url_file, err);
	else
		rc = secret_from_text(&out->url, arena, source->url, strlen(source->url), "the url",
				      err);
	rc = rc ? rc : http_check_url(out->url.data, source->url_file, err);
	if (!rc && source->secret_file)
		rc = secret_from_file(&out->secret, arena, source->secret_file, err);
	else if (!rc && source->secret_env)
		rc = secret_from_env(&out->secret, arena, source->secret_env, err);
	return rc;
}

/* What a try needs: who receives it compares its time with his own. */
struct signing {
	const struct webhook *webhook;
	struct http *http;
	char text[SIGNATURE_SIZE]; /* "t=1795224600,v1=HEX" */
};

static int sign(void *ctx, struct err *err)
{
	struct signing *signing = ctx;
	const struct webhook *webhook = signing->webhook;
	long long now = (long long)http_now(signing->http);
	char stamp[32], hex[HMAC_SIZE];
	int len = snprintf(stamp, sizeof(stamp), "%lld.", now);
	int rc = hmac_sha256(hex, &webhook->target->secret, stamp, (size_t)len, webhook->body,
			     webhook->body_len, err);

	if (!rc)
		(void)snprintf(signing->text, SIGNATURE_SIZE, "t=%lld,v1=%s", now, hex);
	return rc;
}

static int post(struct http_response *response, struct http *http, const struct webhook *webhook,
		struct err *err)
{
	struct signing signing = {.webhook = webhook, .http = http};
	bool is_signed = webhook->target->secret.data != NULL;
	const struct http_header headers[] = {
		{.name = "Content-Type", .value = "application/json"},
		{.name = "Idempotency-Key", .value = webhook->key},
		{.name = "Certrotate-Signature", .value = signing.text},
	};
	const struct http_again again = {.tries = webhook->tries,
					 .all_ms = webhook->deadline_ms,
					 .prepare = is_signed ? sign : NULL,
					 .ctx = &signing};
	const struct http_request request = {
		.method = "POST",
		.url = webhook->target->url.data,
		.secret_path = true,
		.headers = headers,
		.header_count = is_signed ? 3 : 2,
		.body = webhook->body,
		.body_len = webhook->body_len,
		.deadline_ms = WEBHOOK_TRY_MS,
	};
	int rc = http_retry(response, http, &request, &again, err);

	if (!rc && (response->status < 200 || response->status > 299))
		rc = http_refuse(&request, response, err);
	return rc;
}

int webhook_post(struct webhook_result *out, struct http *http, const struct webhook *webhook,
		 struct err *err)
{
	struct http_response response = {0};
	int rc;

	*out = (struct webhook_result){0};
	if (webhook->body_len > WEBHOOK_BODY_MAX)
		return err_set(err, ERR_FAIL, "the text for a webhook is larger than %zu bytes",
			       WEBHOOK_BODY_MAX);
	rc = post(&response, http, webhook, err);
	out->status = response.status;
	out->tries = response.failure == HTTP_REFUSED ? 0 : response.tries;
	out->ms = response.ms;
	http_response_release(&response);
	return rc;
}
