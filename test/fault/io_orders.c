/* Orders for the shim from outside: a file `io_orders` beside data.mdb, "N A":
 * from now on the Nth write or sync fails with EIO, all later ones too where A
 * is 1. Taken away once it is read. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "io_shim.h"

enum { path_max = 4096 };

static const char data_name[] = "data.mdb";
static const char orders_name[] = "io_orders";

/* The path of the orders beside the file that is open as `fd`; 0: none. */
static int orders_beside(int fd, char* path) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t size = readlink(link, path, path_max - sizeof orders_name);
  const ssize_t name = (ssize_t)sizeof data_name - 1;
  if (size < name || memcmp(path + size - name, data_name, (size_t)name) != 0)
    return 0;
  memcpy(path + size - name, orders_name, sizeof orders_name);
  return 1;
}

void io_shim_before_call(int fd) {
  char path[path_max];
  const int before = errno;
  FILE* orders = orders_beside(fd, path) ? fopen(path, "re") : NULL;
  if (orders != NULL) {
    long nth = 0;
    int and_all_after = 0;
    if (fscanf(orders, "%ld %d", &nth, &and_all_after) == 2)
      io_shim_arm(nth, EIO, and_all_after);
    fclose(orders);
    unlink(path);
  }
  errno = before;
}
