#pragma once

/* Which file descriptors of this process are LMDB's data file. */

#include <string.h>

enum data_file_kind { not_data = 0, data_file = 1, data_file_dsync = 2 };

enum { data_file_fds_max = 4096 };

static unsigned char data_file_fds[data_file_fds_max];

static inline int data_file_kind_of(int fd) {
  return fd >= 0 && fd < data_file_fds_max ? data_file_fds[fd] : not_data;
}

static inline void data_file_opened(int fd, const char* path, int dsync) {
  static const char name[] = "/data.mdb";
  const size_t size = strlen(path);
  if (fd < 0 || fd >= data_file_fds_max)
    return;
  data_file_fds[fd] = not_data;
  if (size >= sizeof name - 1
      && strcmp(path + size - (sizeof name - 1), name) == 0)
    data_file_fds[fd] = dsync ? data_file_dsync : data_file;
}

static inline void data_file_closed(int fd) {
  if (fd >= 0 && fd < data_file_fds_max)
    data_file_fds[fd] = not_data;
}
