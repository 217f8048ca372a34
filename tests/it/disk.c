/* Notes what a program does to its ledger's files, and what it sends, in the order in which it happens. Loaded into the
 * program by LD_PRELOAD; it changes nothing. What is written is noted when it is written, a flush when it is done, and
 * what is sent before it leaves.
 *
 * A record: the operation (one byte), the file's name (47 bytes, padded with zeros), an offset or a length, the number of
 * bytes that follow (8 bytes each, in the machine's order), these bytes. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define FILES 1024
#define NAME 47

static char names[FILES][NAME];
static int notes = -1;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("DISK_NOTES");
	if (path)
		notes = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (notes < 0)
		abort();
}

static void note(char operation, const char *name, uint64_t number, const void *bytes, uint64_t count)
{
	char head[1 + NAME + 16] = { operation };
	strncpy(head + 1, name, NAME - 1);
	memcpy(head + 1 + NAME, &number, 8);
	memcpy(head + 1 + NAME + 8, &count, 8);
	struct iovec parts[2] = { { head, sizeof head }, { (void *)bytes, count } };
	if (syscall(SYS_writev, notes, parts, 2) != (long)(sizeof head + count))
		abort();
}

static const char *last(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

/* The index of a log in shared memory is made anew after a crash. */
static int is_ledgers(const char *path)
{
	const char *name = last(path);
	return strncmp(name, "rosterd.db", 10) == 0 && !strstr(name, "-shm") && strlen(name) < NAME;
}

static const char *name_of(int file)
{
	return file >= 0 && file < FILES && names[file][0] ? names[file] : NULL;
}

static int is_a(int file, mode_t kind)
{
	struct stat about;
	return fstat(file, &about) == 0 && (about.st_mode & S_IFMT) == kind;
}

static int opened(int file, const char *path, int is_new)
{
	if (file < 0 || file >= FILES)
		return file;
	names[file][0] = 0;
	if (is_ledgers(path)) {
		strcpy(names[file], last(path));
		if (is_new)
			note('c', names[file], 0, NULL, 0);
	}
	return file;
}

#define OPEN(name, parameters, arguments)                                      \
	int name parameters                                                    \
	{                                                                      \
		mode_t mode = 0;                                               \
		if (flags & (O_CREAT | O_TMPFILE)) {                           \
			va_list rest;                                          \
			va_start(rest, flags);                                 \
			mode = va_arg(rest, mode_t);                           \
			va_end(rest);                                          \
		}                                                              \
		int is_new = (flags & O_CREAT) && access(path, F_OK) != 0;     \
		return opened(REAL(name) arguments, path, is_new);             \
	}

OPEN(open, (const char *path, int flags, ...), (path, flags, mode))
OPEN(open64, (const char *path, int flags, ...), (path, flags, mode))
OPEN(openat, (int folder, const char *path, int flags, ...), (folder, path, flags, mode))
OPEN(openat64, (int folder, const char *path, int flags, ...), (folder, path, flags, mode))

int close(int file)
{
	if (name_of(file))
		names[file][0] = 0;
	return REAL(close)(file);
}

static ssize_t written(int file, ssize_t count, const void *bytes, off_t at)
{
	if (count > 0 && name_of(file))
		note('w', name_of(file), at, bytes, count);
	return count;
}

ssize_t pwrite(int file, const void *bytes, size_t count, off_t at)
{
	return written(file, REAL(pwrite)(file, bytes, count, at), bytes, at);
}

ssize_t pwrite64(int file, const void *bytes, size_t count, off64_t at)
{
	return written(file, REAL(pwrite64)(file, bytes, count, at), bytes, at);
}

ssize_t write(int file, const void *bytes, size_t count)
{
	if (name_of(file))
		return written(file, REAL(write)(file, bytes, count), bytes, lseek(file, 0, SEEK_CUR) - count);
	if (is_a(file, S_IFSOCK))
		note('s', "", 0, bytes, count);
	return REAL(write)(file, bytes, count);
}

ssize_t send(int file, const void *bytes, size_t count, int flags)
{
	note('s', "", 0, bytes, count);
	return REAL(send)(file, bytes, count, flags);
}

ssize_t writev(int file, const struct iovec *parts, int count)
{
	if (name_of(file))
		abort();
	if (is_a(file, S_IFSOCK))
		for (int part = 0; part < count; part++)
			note('s', "", 0, parts[part].iov_base, parts[part].iov_len);
	return REAL(writev)(file, parts, count);
}

#define TRUNCATE(name, type)                                                   \
	int name(int file, type length)                                        \
	{                                                                      \
		int result = REAL(name)(file, length);                         \
		if (result == 0 && name_of(file))                              \
			note('t', name_of(file), length, NULL, 0);             \
		return result;                                                 \
	}

TRUNCATE(ftruncate, off_t)
TRUNCATE(ftruncate64, off64_t)

#define FLUSH(name)                                                            \
	int name(int file)                                                     \
	{                                                                      \
		int result = REAL(name)(file);                                 \
		if (result == 0 && name_of(file))                              \
			note('f', name_of(file), 0, NULL, 0);                  \
		else if (result == 0 && is_a(file, S_IFDIR))                   \
			note('d', "", 0, NULL, 0);                             \
		return result;                                                 \
	}

FLUSH(fsync)
FLUSH(fdatasync)

int unlink(const char *path)
{
	int result = REAL(unlink)(path);
	if (result == 0 && is_ledgers(path))
		note('u', last(path), 0, NULL, 0);
	return result;
}

/* The ledger does without it. */
int rename(const char *from, const char *to)
{
	if (is_ledgers(from) || is_ledgers(to))
		abort();
	return REAL(rename)(from, to);
}
