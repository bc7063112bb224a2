/* SPDX-License-Identifier: PostgreSQL */
/*
 * A commit as a phase makes it, with the checkout that follows:
 *
 *   commit DIR BRANCH [PATH FILE]...    each PATH gets the text in FILE
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sys.h"
#include "bench/drive.h"
#include "git/commit.h"
#include "git/worktree.h"

int main(int argc, char **argv)
{
	struct oid parent, commit;
	struct repo *repo = NULL;
	struct change *changes;
	struct buf *texts, message;
	struct err err = {0};
	struct sys sys;
	size_t count;
	char ref[256];

	drive_begin();
	if (argc < 5 || argc % 2 == 0)
		return 2;
	count = (size_t)(argc - 3) / 2;
	changes = must_have(calloc(count, sizeof(*changes)));
	texts = must_have(calloc(count, sizeof(*texts)));
	for (size_t i = 0; i < count; i++) {
		drive_read(&texts[i], argv[4 + 2 * i]);
		changes[i] = (struct change){
			.path = argv[3 + 2 * i], .data = texts[i].data, .len = texts[i].len};
	}
	(void)snprintf(ref, sizeof(ref), "refs/heads/%s", argv[2]);
	sys_init(&sys);
	buf_init(&message, BUF_TEXT_MAX);
	must(commit_message(&message, "certrotate bench: trust", NULL,
			    &(struct trailers){.environment = (char *)"bench"}, &err),
	     &err);
	must(repo_open(&repo, argv[1], &err), &err);
	must(repo_ref(&parent, repo, ref, &err), &err);
	must(commit_build(&commit, repo, &parent, changes, count, message.data, &sys, &err), &err);
	must(branch_advance(repo, ref, &parent, &commit, "certrotate", &err), &err);
	repo_close(repo);
	for (size_t i = 0; i < count; i++)
		buf_release(&texts[i]);
	free(changes);
	free(texts);
	buf_release(&message);
	return 0;
}
