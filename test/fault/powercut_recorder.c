/* Records every write and sync of data.mdb, and every line that the program
 * writes to standard output, in the order in which they happened, to the file
 * that POWERCUT_JOURNAL names. Linked into the workload. Blind to memory
 * maps that are written to: the store never has one. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "data_file_fds.h"
#include "powercut_journal.h"

static pthread_mutex_t order = PTHREAD_MUTEX_INITIALIZER;
static int journal = -1;

static void record(uint32_t type, uint64_t at, const void* bytes,
                   uint32_t size) {
  if (journal < 0) {
    const char* path = getenv("POWERCUT_JOURNAL");
    if (path == NULL)
      return;
    journal = (int)syscall(SYS_openat, AT_FDCWD, path,
                           O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  }
  struct powercut_event event = {type, size, at};
  struct iovec parts[2]
    = {{&event, sizeof event}, {(void*)(uintptr_t)bytes, size}};
  if (syscall(SYS_writev, journal, parts, size > 0 ? 2 : 1) < 0)
    abort();
}

static uint32_t write_type(int fd) {
  return data_file_kind_of(fd) == data_file_dsync ? powercut_write_dsync
                                                  : powercut_write;
}

int open(const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const int mode = va_arg(more, int);
  va_end(more);
  const int fd = (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
  data_file_opened(fd, path, (flags & O_DSYNC) != 0);
  return fd;
}

int close(int fd) {
  data_file_closed(fd);
  return (int)syscall(SYS_close, fd);
}

ssize_t pwrite(int fd, const void* bytes, size_t size, off_t at) {
  pthread_mutex_lock(&order);
  const ssize_t done = syscall(SYS_pwrite64, fd, bytes, size, at);
  if (done > 0 && data_file_kind_of(fd) != not_data)
    record(write_type(fd), (uint64_t)at, bytes, (uint32_t)done);
  pthread_mutex_unlock(&order);
  return done;
}

ssize_t writev(int fd, const struct iovec* parts, int count) {
  pthread_mutex_lock(&order);
  off_t at = (off_t)syscall(SYS_lseek, fd, 0, SEEK_CUR);
  const ssize_t done = syscall(SYS_writev, fd, parts, count);
  if (done > 0 && data_file_kind_of(fd) != not_data)
    for (int i = 0; i < count; ++i) {
      record(write_type(fd), (uint64_t)at, parts[i].iov_base,
             (uint32_t)parts[i].iov_len);
      at += (off_t)parts[i].iov_len;
    }
  pthread_mutex_unlock(&order);
  return done;
}

ssize_t write(int fd, const void* bytes, size_t size) {
  pthread_mutex_lock(&order);
  if (fd == STDOUT_FILENO)
    record(powercut_line, 0, bytes, (uint32_t)size);
  const off_t at = (off_t)syscall(SYS_lseek, fd, 0, SEEK_CUR);
  const ssize_t done = syscall(SYS_write, fd, bytes, size);
  if (done > 0 && data_file_kind_of(fd) != not_data)
    record(write_type(fd), (uint64_t)at, bytes, (uint32_t)done);
  pthread_mutex_unlock(&order);
  return done;
}

static int synced(int fd, long code) {
  if (code == 0 && data_file_kind_of(fd) != not_data) {
    pthread_mutex_lock(&order);
    record(powercut_sync, 0, NULL, 0);
    pthread_mutex_unlock(&order);
  }
  return (int)code;
}

int fdatasync(int fd) {
  return synced(fd, syscall(SYS_fdatasync, fd));
}

int fsync(int fd) {
  return synced(fd, syscall(SYS_fsync, fd));
}
