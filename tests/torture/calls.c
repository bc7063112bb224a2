/* SPDX-License-Identifier: PostgreSQL */
#include "tests/torture/calls.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define ON_DISK	  EIO, ENOSPC, EROFS
#define ON_A_FILE EIO, ENOSPC

static const struct call_kind kinds[] = {
	{SYS_open, "open", SHAPE_OPEN, EFFECT_CHANGE, {EIO, EMFILE, EINTR, ENOSPC}, false},
	{SYS_openat, "openat", SHAPE_OPEN_AT, EFFECT_CHANGE, {EIO, EMFILE, EINTR, ENOSPC}, false},
	{SYS_creat, "creat", SHAPE_PATH, EFFECT_CHANGE, {ON_DISK, EINTR}, false},
	{SYS_write, "write", SHAPE_FD_SIZE, EFFECT_CHANGE, {ON_A_FILE, EINTR}, true},
	{SYS_pwrite64, "pwrite64", SHAPE_FD_SIZE, EFFECT_CHANGE, {ON_A_FILE, EINTR}, true},
	{SYS_writev, "writev", SHAPE_FD, EFFECT_CHANGE, {ON_A_FILE, EINTR}, false},
	{SYS_read, "read", SHAPE_FD_SIZE, EFFECT_NONE, {EIO, EINTR}, true},
	{SYS_pread64, "pread64", SHAPE_FD_SIZE, EFFECT_NONE, {EIO, EINTR}, true},
	{SYS_fsync, "fsync", SHAPE_FD, EFFECT_SYNC, {ON_A_FILE}, false},
	{SYS_fdatasync, "fdatasync", SHAPE_FD, EFFECT_SYNC, {ON_A_FILE}, false},
	{SYS_rename, "rename", SHAPE_PATHS, EFFECT_CHANGE, {ON_DISK}, false},
	{SYS_renameat, "renameat", SHAPE_ATS, EFFECT_CHANGE, {ON_DISK}, false},
	{SYS_renameat2, "renameat2", SHAPE_ATS, EFFECT_CHANGE, {ON_DISK}, false},
	{SYS_link, "link", SHAPE_PATHS, EFFECT_CHANGE, {ON_DISK}, false},
	{SYS_linkat, "linkat", SHAPE_ATS, EFFECT_CHANGE, {ON_DISK}, false},
	{SYS_symlink, "symlink", SHAPE_LINK, EFFECT_CHANGE, {ON_DISK}, false},
	{SYS_symlinkat, "symlinkat", SHAPE_LINK_AT, EFFECT_CHANGE, {ON_DISK}, false},
	{SYS_unlink, "unlink", SHAPE_PATH, EFFECT_CHANGE, {EIO, EROFS}, false},
	{SYS_unlinkat, "unlinkat", SHAPE_AT, EFFECT_CHANGE, {EIO, EROFS}, false},
	{SYS_mkdir, "mkdir", SHAPE_PATH, EFFECT_CHANGE, {ON_DISK}, false},
	{SYS_mkdirat, "mkdirat", SHAPE_AT, EFFECT_CHANGE, {ON_DISK}, false},
	{SYS_rmdir, "rmdir", SHAPE_PATH, EFFECT_CHANGE, {EIO, EROFS}, false},
	{SYS_truncate, "truncate", SHAPE_PATH, EFFECT_CHANGE, {EIO, EROFS}, false},
	{SYS_ftruncate, "ftruncate", SHAPE_FD, EFFECT_CHANGE, {EIO, EINTR}, false},
	{SYS_fallocate, "fallocate", SHAPE_FD, EFFECT_CHANGE, {ON_A_FILE, EINTR}, false},
	{SYS_chmod, "chmod", SHAPE_PATH, EFFECT_CHANGE, {EIO, EPERM}, false},
	{SYS_fchmod, "fchmod", SHAPE_FD, EFFECT_CHANGE, {EIO, EPERM}, false},
	{SYS_fchmodat, "fchmodat", SHAPE_AT, EFFECT_CHANGE, {EIO, EPERM}, false},
	{SYS_chown, "chown", SHAPE_PATH, EFFECT_CHANGE, {EIO, EPERM}, false},
	{SYS_fchown, "fchown", SHAPE_FD, EFFECT_CHANGE, {EIO, EPERM}, false},
	{SYS_fchownat, "fchownat", SHAPE_AT, EFFECT_CHANGE, {EIO, EPERM}, false},
	{SYS_utimensat, "utimensat", SHAPE_AT, EFFECT_CHANGE, {0}, false},
	{SYS_stat, "stat", SHAPE_PATH, EFFECT_NONE, {EIO}, false},
	{SYS_lstat, "lstat", SHAPE_PATH, EFFECT_NONE, {EIO}, false},
	{SYS_fstat, "fstat", SHAPE_FD, EFFECT_NONE, {EIO}, false},
	{SYS_newfstatat, "newfstatat", SHAPE_AT, EFFECT_NONE, {EIO}, false},
	{SYS_getdents64, "getdents64", SHAPE_FD, EFFECT_NONE, {EIO}, false},
	{SYS_readlink, "readlink", SHAPE_PATH, EFFECT_NONE, {EIO}, false},
	{SYS_pipe2, "pipe2", SHAPE_NONE, EFFECT_NONE, {EMFILE}, false},
	{SYS_poll, "poll", SHAPE_NONE, EFFECT_NONE, {EINTR}, false},
	{SYS_ppoll, "ppoll", SHAPE_NONE, EFFECT_NONE, {EINTR}, false},
	{SYS_epoll_wait, "epoll_wait", SHAPE_NONE, EFFECT_NONE, {EINTR}, false},
	{SYS_wait4, "wait4", SHAPE_NONE, EFFECT_NONE, {EINTR}, false},
	{SYS_waitid, "waitid", SHAPE_NONE, EFFECT_NONE, {EINTR}, false},
	{SYS_flock, "flock", SHAPE_FD, EFFECT_NONE, {EINTR, ENOLCK}, false},
	{SYS_getrandom, "getrandom", SHAPE_NONE, EFFECT_NONE, {EINTR}, false},
	{SYS_clone, "clone", SHAPE_CLONE, EFFECT_START, {EAGAIN, ENOMEM}, false},
	{SYS_fork, "fork", SHAPE_NONE, EFFECT_START, {EAGAIN, ENOMEM}, false},
	{SYS_vfork, "vfork", SHAPE_NONE, EFFECT_START, {EAGAIN, ENOMEM}, false},
	{SYS_memfd_create, "memfd_create", SHAPE_NONE, EFFECT_NONE, {EMFILE, ENOMEM}, false},
	{SYS_mlock, "mlock", SHAPE_NONE, EFFECT_NONE, {ENOMEM}, false},
	{SYS_socket, "socket", SHAPE_NONE, EFFECT_NONE, {EMFILE}, false},
};

const struct call_kind *call_at(size_t i)
{
	return i < sizeof(kinds) / sizeof(kinds[0]) ? &kinds[i] : NULL;
}

const struct call_kind *call_kind(long nr)
{
	const struct call_kind *kind;

	for (size_t i = 0; (kind = call_at(i)); i++) {
		if (kind->nr == nr)
			return kind;
	}
	return NULL;
}

static const struct {
	int number;
	const char *name;
} errnos[] = {{EIO, "EIO"},	  {ENOSPC, "ENOSPC"}, {EROFS, "EROFS"},
	      {EINTR, "EINTR"},	  {EMFILE, "EMFILE"}, {EPERM, "EPERM"},
	      {EAGAIN, "EAGAIN"}, {ENOMEM, "ENOMEM"}, {ENOLCK, "ENOLCK"}};

int call_errno(const char *name)
{
	for (size_t i = 0; i < sizeof(errnos) / sizeof(errnos[0]); i++) {
		if (!strcmp(errnos[i].name, name))
			return errnos[i].number;
	}
	return 0;
}

const char *call_errno_name(int number)
{
	for (size_t i = 0; i < sizeof(errnos) / sizeof(errnos[0]); i++) {
		if (errnos[i].number == number)
			return errnos[i].name;
	}
	return NULL;
}

/* Text in another process; it may end before a page that cannot be read. */
static void read_text(char out[PATH_MAX], pid_t pid, uint64_t at)
{
	size_t have = 0;

	while (have < PATH_MAX - 1) {
		size_t part = 256 - (at + have) % 256;
		struct iovec here, there;
		ssize_t got;

		if (part > PATH_MAX - 1 - have)
			part = PATH_MAX - 1 - have;
		here = (struct iovec){out + have, part};
		there = (struct iovec){(void *)(uintptr_t)(at + have), part};
		got = process_vm_readv(pid, &here, 1, &there, 1, 0);
		if (got <= 0)
			break;
		have += (size_t)got;
		if (memchr(out + have - got, 0, (size_t)got))
			return;
	}
	out[have] = '\0';
}

static void read_link(char out[PATH_MAX], pid_t pid, const char *what)
{
	char link[64];
	ssize_t got;

	(void)snprintf(link, sizeof(link), "/proc/%ld/%s", (long)pid, what);
	got = readlink(link, out, PATH_MAX - 1);
	out[got < 0 ? 0 : got] = '\0';
}

static void descriptor_path(char out[PATH_MAX], pid_t pid, uint64_t fd)
{
	char what[32];

	(void)snprintf(what, sizeof(what), "fd/%d", (int)fd);
	read_link(out, pid, what);
}

static void add(struct call *call, const char *text)
{
	size_t used = strlen(call->text);

	(void)snprintf(call->text + used, sizeof(call->text) - used, "%s%s", used ? "\t" : "",
		       text);
}

/* Made absolute, so that two names of one file are the same more often. */
static void add_path(struct call *call, pid_t pid, uint64_t dir, uint64_t text)
{
	char path[PATH_MAX], full[2 * PATH_MAX], base[PATH_MAX];

	read_text(path, pid, text);
	if (path[0] == '/') {
		add(call, path);
		return;
	}
	if ((int)dir == AT_FDCWD)
		read_link(base, pid, "cwd");
	else
		descriptor_path(base, pid, dir);
	(void)snprintf(full, sizeof(full), "%s%s%s", base, path[0] ? "/" : "", path);
	add(call, full);
}

static bool is_on_disk(const char *path)
{
	return path[0] == '/' && strncmp(path, "/proc/", 6) != 0 &&
	       strncmp(path, "/dev/", 5) != 0 && strncmp(path, "/memfd:", 7) != 0;
}

/* A pipe, a socket, a terminal: what is written there is no change of anything on disk. */
static bool is_file(pid_t pid, uint64_t fd)
{
	char link[64], path[PATH_MAX];
	struct stat st;

	(void)snprintf(link, sizeof(link), "/proc/%ld/fd/%d", (long)pid, (int)fd);
	descriptor_path(path, pid, fd);
	return is_on_disk(path) && stat(link, &st) == 0 &&
	       (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode));
}

static void look_at_descriptor(struct call *call, pid_t pid)
{
	char path[PATH_MAX];

	descriptor_path(path, pid, call->args[0]);
	add(call, path);
	if (call->effect != EFFECT_NONE && !is_file(pid, call->args[0]))
		call->effect = EFFECT_NONE;
}

static void look_at_open(struct call *call, pid_t pid, uint64_t dir, uint64_t path, uint64_t flags)
{
	struct stat st;
	bool makes = flags & O_CREAT, empties = flags & O_TRUNC;

	add_path(call, pid, dir, path);
	if (!(makes && stat(call->text, &st)) && !empties)
		call->effect = EFFECT_NONE;
	add(call, makes ? "create" : (flags & O_ACCMODE) == O_RDONLY ? "read" : "write");
}

/* Some are made on the chance that there is something to do: where there is not, nothing changes.
 */
static void look_at_place(struct call *call)
{
	const char *second = strchr(call->text, '\t');
	struct stat st;

	switch (call->kind->nr) {
	case SYS_mkdir:
		if (lstat(call->text, &st) == 0)
			call->effect = EFFECT_NONE;
		break;
	case SYS_unlink:
	case SYS_utimensat:
		if (lstat(call->text, &st) < 0)
			call->effect = EFFECT_NONE;
		break;
	case SYS_link:
		if (second && lstat(second + 1, &st) == 0)
			call->effect = EFFECT_NONE;
		break;
	default:
		break;
	}
}

bool call_look(struct call *out, pid_t pid, long nr, const uint64_t args[6])
{
	const uint64_t here = (uint64_t)AT_FDCWD;
	char size[32];

	*out = (struct call){.kind = call_kind(nr)};
	if (!out->kind)
		return false;
	out->effect = out->kind->effect;
	memcpy(out->args, args, sizeof(out->args));
	switch (out->kind->shape) {
	case SHAPE_PATH:
		add_path(out, pid, here, args[0]);
		break;
	case SHAPE_AT:
		add_path(out, pid, args[0], args[1]);
		break;
	case SHAPE_PATHS:
		add_path(out, pid, here, args[0]);
		add_path(out, pid, here, args[1]);
		break;
	case SHAPE_ATS:
		add_path(out, pid, args[0], args[1]);
		add_path(out, pid, args[2], args[3]);
		break;
	case SHAPE_LINK:
		add_path(out, pid, here, args[1]);
		break;
	case SHAPE_LINK_AT:
		add_path(out, pid, args[1], args[2]);
		break;
	case SHAPE_OPEN:
		look_at_open(out, pid, here, args[0], args[1]);
		break;
	case SHAPE_OPEN_AT:
		look_at_open(out, pid, args[0], args[1], args[2]);
		break;
	case SHAPE_FD_SIZE:
		look_at_descriptor(out, pid);
		(void)snprintf(size, sizeof(size), "%llu", (unsigned long long)args[2]);
		add(out, size);
		break;
	case SHAPE_FD:
		look_at_descriptor(out, pid);
		break;
	case SHAPE_CLONE:
		if (args[0] & CLONE_THREAD)
			out->effect = EFFECT_NONE;
		break;
	case SHAPE_NONE:
		break;
	}
	if (out->effect == EFFECT_CHANGE)
		look_at_place(out);
	if (out->effect != EFFECT_NONE && out->text[0] && !is_on_disk(out->text))
		out->effect = EFFECT_NONE;
	return true;
}
