/* SPDX-License-Identifier: MIT */
/* What the plugin of the storage test is asked to do. */
struct session;
struct storage_ctx {
	struct session *session;
	unsigned long long op, value;
};
struct stored {
	unsigned long long nr, first;
	unsigned char rest[5];
};
enum { ADD, LOOK, DROP, ADD_FROM, FLAGS };
