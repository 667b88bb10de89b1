/* SPDX-License-Identifier: MIT */
/* What the plugin of the timers' test is asked to do. */
enum {
	MAKE,
	INIT,
	CALLBACK,
	START,
	START_ABS,
	CANCEL,
	DELETE,
	UPDATE,
	COUNT,
	FLAGS,
	CLOCK,
	REAL,
	WORK_INIT,
	WORK_CALLBACK,
	WORK_START,
	SLOT,
	SLOT_UPDATE,
	SLOT_COUNT,
	CALL_FOREVER
};
enum { ONCE, AGAIN, DELETE_SELF, CANCEL_SELF, FOREVER };
