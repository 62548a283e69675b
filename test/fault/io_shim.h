#pragma once

#ifdef __cplusplus
extern "C" {
#endif

/* From now on the `nth` write or sync of data.mdb fails with `error`, and all
 * later ones where `and_all_after`. 0: none. Starts counting anew. */
void io_shim_arm(long nth, int error, int and_all_after);

/* Writes and syncs of data.mdb since `io_shim_arm`. */
long io_shim_calls(void);

/* Called before each write or sync of data.mdb; does nothing unless the program
 * has one of its own. */
void io_shim_before_call(int fd);

#ifdef __cplusplus
}
#endif
