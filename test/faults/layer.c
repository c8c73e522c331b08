/*
 * Preloaded (LD_PRELOAD) between a process and the C library: sees every call that changes a watched folder, SQLite's own calls too, and
 * fails the k-th of them. Controlled by opening paths that begin with "/rind-faults:", which never exist:
 *   /rind-faults:watch:KIND:K:FOLDER      from now on; KIND is count, kill, eio or enospc; counts from 1
 *   /rind-faults:fail:KIND:K              from now on, with the files that are watched already
 *   /rind-faults:log:FILE                 also appends every call that changed something to FILE (disk-image.ts reads it)
 *   /rind-faults:mark:TEXT                a mark in that log
 *   /rind-faults:count:FILE               writes the number of calls so far and the number of the failed ones to FILE
 *   /rind-faults:off                      ends watching and logging
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define MAX_FD 65536
#define CONTROL "/rind-faults:"

enum kind { OFF, COUNT, KILL, EIO_ONCE, FULL };

static pthread_mutex_t lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static enum kind kind = OFF;
static long at = 0, seen = 0, failed = 0;
static char root[PATH_MAX];
static size_t root_length = 0;
static int log_fd = -1;
static unsigned char watched[MAX_FD];

#define REAL(type, name, parameters) \
  static type(*real_##name) parameters = NULL; \
  if (real_##name == NULL) real_##name = (type(*) parameters)dlsym(RTLD_NEXT, #name)

static ssize_t raw_write(int fd, const void *bytes, size_t length) {
  REAL(ssize_t, write, (int, const void *, size_t));
  return real_write(fd, bytes, length);
}

static int raw_open(const char *path, int flags, mode_t mode) {
  REAL(int, open, (const char *, int, ...));
  return real_open(path, flags, mode);
}

static int inside(const char *path) {
  if (kind == OFF || path == NULL) return 0;
  return strncmp(path, root, root_length) == 0 && (path[root_length] == '/' || path[root_length] == 0);
}

static int is_watched(int fd) { return kind != OFF && fd >= 0 && fd < MAX_FD && watched[fd]; }

/* One record: code, fd, offset, lengths of two byte strings, the strings. */
static void record(char code, int fd, int64_t offset, const void *first, size_t first_length, const void *second,
                   size_t second_length) {
  if (log_fd < 0) return;
  size_t size = 1 + 4 + 8 + 4 + 4 + first_length + second_length;
  unsigned char *bytes = malloc(size);
  int32_t number = fd;
  uint32_t lengths[2] = {(uint32_t)first_length, (uint32_t)second_length};
  bytes[0] = (unsigned char)code;
  memcpy(bytes + 1, &number, 4);
  memcpy(bytes + 5, &offset, 8);
  memcpy(bytes + 13, lengths, 8);
  memcpy(bytes + 21, first, first_length);
  memcpy(bytes + 21 + first_length, second, second_length);
  if (raw_write(log_fd, bytes, size) != (ssize_t)size) abort();
  free(bytes);
}

static void record_path(char code, int fd, int64_t offset, const char *path) {
  record(code, fd, offset, path, strlen(path), "", 0);
}

/* Whether this call must fail; errno is set. `allocates`: a full disk refuses it. */
static int fails(int allocates) {
  if (kind == FULL && !allocates) return 0;
  seen += 1;
  if (kind == COUNT || seen < at) return 0;
  if (kind == KILL && seen == at) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
  }
  if (kind == EIO_ONCE && seen == at) {
    failed += 1;
    errno = EIO;
    return 1;
  }
  if (kind == FULL) {
    failed += 1;
    errno = ENOSPC;
    return 1;
  }
  return 0;
}

/* The first write on a full disk still finds some space. */
static int is_first_on_full_disk(void) { return kind == FULL && seen + 1 == at; }

static enum kind kind_named(const char *name) {
  return name[0] == 'k' ? KILL : name[1] == 'i' ? EIO_ONCE : name[1] == 'n' ? FULL : COUNT;
}

static void control(const char *command) {
  char name[16];
  if (strncmp(command, "watch:", 6) == 0) {
    if (sscanf(command + 6, "%15[^:]:%ld:%4095[^\n]", name, &at, root) != 3) abort();
    root_length = strlen(root);
    seen = failed = 0;
    memset(watched, 0, sizeof watched);
    kind = kind_named(name);
  } else if (strncmp(command, "fail:", 5) == 0) {
    if (sscanf(command + 5, "%15[^:]:%ld", name, &at) != 2) abort();
    seen = failed = 0;
    kind = kind_named(name);
  } else if (strncmp(command, "log:", 4) == 0) {
    log_fd = raw_open(command + 4, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log_fd < 0) abort();
  } else if (strncmp(command, "mark:", 5) == 0) {
    record_path('m', 0, 0, command + 5);
  } else if (strncmp(command, "count:", 6) == 0) {
    char text[64];
    int length = snprintf(text, sizeof text, "%ld %ld", seen, failed);
    int fd = raw_open(command + 6, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || raw_write(fd, text, (size_t)length) != length) abort();
    close(fd);
  } else if (strcmp(command, "off") == 0) {
    kind = OFF;
    if (log_fd >= 0) close(log_fd);
    log_fd = -1;
  } else {
    abort();
  }
}

#define ENTER pthread_mutex_lock(&lock)
#define LEAVE \
  do { \
    int saved = errno; \
    pthread_mutex_unlock(&lock); \
    errno = saved; \
  } while (0)

static int watched_open(const char *path, int flags, mode_t mode) {
  if (path != NULL && strncmp(path, CONTROL, strlen(CONTROL)) == 0) {
    ENTER;
    control(path + strlen(CONTROL));
    LEAVE;
    errno = ENOENT;
    return -1;
  }
  if (!inside(path)) return raw_open(path, flags, mode);
  ENTER;
  struct stat found;
  int makes = (flags & O_CREAT) && stat(path, &found) != 0;
  int changes = makes || (flags & O_TRUNC);
  int fd = -1;
  if (!changes || !fails(makes)) {
    fd = raw_open(path, flags, mode);
    if (fd >= 0 && fd < MAX_FD) {
      watched[fd] = 1;
      record_path(changes ? 'o' : 'r', fd, (flags & O_TRUNC ? 1 : 0) | (flags & O_APPEND ? 2 : 0), path);
    }
  }
  LEAVE;
  return fd;
}

int open(const char *path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  return watched_open(path, flags, mode);
}

int open64(const char *path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  return watched_open(path, flags, mode);
}

int close(int fd) {
  REAL(int, close, (int));
  if (!is_watched(fd)) return real_close(fd);
  ENTER;
  watched[fd] = 0;
  record('c', fd, 0, "", 0, "", 0);
  int result = real_close(fd);
  LEAVE;
  return result;
}

/* offset -1: where the file stands. */
static ssize_t watched_write(int fd, const void *bytes, size_t length, off64_t offset) {
  REAL(ssize_t, pwrite64, (int, const void *, size_t, off64_t));
  ENTER;
  ssize_t result = -1;
  size_t taken = is_first_on_full_disk() && length > 1 ? length / 2 : 0;
  if (taken > 0) {
    /* Counted; the rest fails. */
    seen += 1;
    failed += 1;
  } else if (!fails(1)) {
    taken = length;
  }
  if (taken > 0) {
    struct stat found;
    int appends = offset < 0 && (fcntl(fd, F_GETFL) & O_APPEND) && fstat(fd, &found) == 0;
    off64_t position = offset >= 0 ? offset : appends ? found.st_size : lseek64(fd, 0, SEEK_CUR);
    result = offset >= 0 ? real_pwrite64(fd, bytes, taken, offset) : raw_write(fd, bytes, taken);
    if (result > 0) record('w', fd, position, bytes, (size_t)result, "", 0);
  }
  LEAVE;
  return result;
}

ssize_t write(int fd, const void *bytes, size_t length) {
  return is_watched(fd) ? watched_write(fd, bytes, length, -1) : raw_write(fd, bytes, length);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset) {
  REAL(ssize_t, pwrite64, (int, const void *, size_t, off64_t));
  return is_watched(fd) ? watched_write(fd, bytes, length, offset) : real_pwrite64(fd, bytes, length, offset);
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) { return pwrite64(fd, bytes, length, offset); }

static ssize_t watched_writev(int fd, const struct iovec *parts, int count, off64_t offset) {
  size_t length = 0;
  for (int i = 0; i < count; i++) length += parts[i].iov_len;
  unsigned char *bytes = malloc(length + 1);
  size_t end = 0;
  for (int i = 0; i < count; i++) {
    memcpy(bytes + end, parts[i].iov_base, parts[i].iov_len);
    end += parts[i].iov_len;
  }
  ssize_t result = watched_write(fd, bytes, length, offset);
  int saved = errno;
  free(bytes);
  errno = saved;
  return result;
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
  REAL(ssize_t, writev, (int, const struct iovec *, int));
  return is_watched(fd) ? watched_writev(fd, parts, count, -1) : real_writev(fd, parts, count);
}

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t offset) {
  REAL(ssize_t, pwritev64, (int, const struct iovec *, int, off64_t));
  return is_watched(fd) ? watched_writev(fd, parts, count, offset) : real_pwritev64(fd, parts, count, offset);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset) {
  return pwritev64(fd, parts, count, offset);
}

int ftruncate64(int fd, off64_t length) {
  REAL(int, ftruncate64, (int, off64_t));
  if (!is_watched(fd)) return real_ftruncate64(fd, length);
  ENTER;
  struct stat found;
  int grows = fstat(fd, &found) == 0 && found.st_size < length;
  int result = fails(grows) ? -1 : real_ftruncate64(fd, length);
  if (result == 0) record('t', fd, length, "", 0, "", 0);
  LEAVE;
  return result;
}

int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

int fsync(int fd) {
  REAL(int, fsync, (int));
  if (!is_watched(fd)) return real_fsync(fd);
  ENTER;
  int result = fails(0) ? -1 : real_fsync(fd);
  if (result == 0) record('s', fd, 0, "", 0, "", 0);
  LEAVE;
  return result;
}

int fdatasync(int fd) {
  REAL(int, fdatasync, (int));
  if (!is_watched(fd)) return real_fdatasync(fd);
  ENTER;
  int result = fails(0) ? -1 : real_fdatasync(fd);
  if (result == 0) record('s', fd, 0, "", 0, "", 0);
  LEAVE;
  return result;
}

/* coreutils' `sync -f`. */
int syncfs(int fd) {
  REAL(int, syncfs, (int));
  if (!is_watched(fd)) return real_syncfs(fd);
  ENTER;
  int result = fails(0) ? -1 : real_syncfs(fd);
  if (result == 0) record('S', fd, 0, "", 0, "", 0);
  LEAVE;
  return result;
}

#define ONE_PATH(name, code, allocates, parameters, call) \
  int name parameters { \
    REAL(int, name, parameters); \
    if (!inside(path)) return real_##name call; \
    ENTER; \
    int result = fails(allocates) ? -1 : real_##name call; \
    if (result == 0) record_path(code, 0, 0, path); \
    LEAVE; \
    return result; \
  }

#define TWO_PATHS(name, code) \
  int name(const char *from, const char *to) { \
    REAL(int, name, (const char *, const char *)); \
    if (!inside(to) && !inside(from)) return real_##name(from, to); \
    ENTER; \
    int result = fails(1) ? -1 : real_##name(from, to); \
    if (result == 0) record(code, 0, 0, from, strlen(from), to, strlen(to)); \
    LEAVE; \
    return result; \
  }

ONE_PATH(mkdir, 'd', 1, (const char *path, mode_t mode), (path, mode))
ONE_PATH(unlink, 'u', 0, (const char *path), (path))
ONE_PATH(rmdir, 'x', 0, (const char *path), (path))
ONE_PATH(remove, 'u', 0, (const char *path), (path))
TWO_PATHS(rename, 'n')
TWO_PATHS(link, 'l')

int unlinkat(int folder, const char *path, int flags) {
  REAL(int, unlinkat, (int, const char *, int));
  if (folder != AT_FDCWD || !inside(path)) return real_unlinkat(folder, path, flags);
  return flags & AT_REMOVEDIR ? rmdir(path) : unlink(path);
}
