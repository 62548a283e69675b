#pragma once

#include <stdint.h>

/* What powercut_recorder writes and powercut_test reads: one of these, then
 * `size` bytes. */
struct powercut_event {
  uint32_t type;
  uint32_t size;
  uint64_t at; /* offset in data.mdb */
};

enum powercut_event_type {
  powercut_write = 1,       /* lasts once a sync has followed */
  powercut_write_dsync = 2, /* lasts at once */
  powercut_sync = 3,
  powercut_line = 4, /* what the program said */
};
