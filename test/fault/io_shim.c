/* Makes the Nth write or sync of data.mdb fail. Linked into a test, whose
 * definitions LMDB then finds before the C library's. */
#define _GNU_SOURCE
#include "io_shim.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "data_file_fds.h"

static atomic_long calls;
static atomic_long fail_at;
static atomic_int fail_errno;
static atomic_int fail_on;

void io_shim_arm(long nth, int error, int and_all_after) {
  atomic_store(&calls, 0);
  atomic_store(&fail_errno, error);
  atomic_store(&fail_on, and_all_after);
  atomic_store(&fail_at, nth);
}

long io_shim_calls(void) {
  return atomic_load(&calls);
}

__attribute__((weak)) void io_shim_before_call(int fd) {
  (void)fd;
}

/* True, with errno set, where this call is to fail. */
static int fails(int fd) {
  if (data_file_kind_of(fd) == not_data)
    return 0;
  io_shim_before_call(fd);
  const long call = atomic_fetch_add(&calls, 1) + 1;
  const long at = atomic_load(&fail_at);
  if (at == 0 || call < at || (call > at && !atomic_load(&fail_on)))
    return 0;
  errno = atomic_load(&fail_errno);
  return 1;
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
  return fails(fd) ? -1 : syscall(SYS_pwrite64, fd, bytes, size, at);
}

ssize_t write(int fd, const void* bytes, size_t size) {
  return fails(fd) ? -1 : syscall(SYS_write, fd, bytes, size);
}

ssize_t writev(int fd, const struct iovec* parts, int count) {
  return fails(fd) ? -1 : syscall(SYS_writev, fd, parts, count);
}

int fdatasync(int fd) {
  return fails(fd) ? -1 : (int)syscall(SYS_fdatasync, fd);
}

int fsync(int fd) {
  return fails(fd) ? -1 : (int)syscall(SYS_fsync, fd);
}
