/* SPDX-License-Identifier: MIT */
/* The bodies of helpers all look the same from outside; those that helpers.c does not hold itself
 * are declared here. */
#ifndef TN_VM_HELPER_BODY_H
#define TN_VM_HELPER_BODY_H

#include "vm/exec.h"

/* Most bodies use few of their parameters. */
#define TN_UNUSED __attribute__((unused))
#define TN_HELPER_BODY(storage, name)                                                              \
	storage uint64_t name(uint64_t r1 TN_UNUSED, uint64_t r2 TN_UNUSED, uint64_t r3 TN_UNUSED, \
			      uint64_t r4 TN_UNUSED, uint64_t r5 TN_UNUSED,                        \
			      struct tn_exec *ex TN_UNUSED)

/* packet_helpers.c */
TN_HELPER_BODY(extern, tn_helper_load_bytes);
TN_HELPER_BODY(extern, tn_helper_packet_len);
TN_HELPER_BODY(extern, tn_helper_csum_diff);

/* packet_edit.c */
TN_HELPER_BODY(extern, tn_helper_skb_store_bytes);
TN_HELPER_BODY(extern, tn_helper_xdp_store_bytes);
TN_HELPER_BODY(extern, tn_helper_l3_csum_replace);
TN_HELPER_BODY(extern, tn_helper_l4_csum_replace);
TN_HELPER_BODY(extern, tn_helper_csum_update);
TN_HELPER_BODY(extern, tn_helper_get_hash_recalc);
TN_HELPER_BODY(extern, tn_helper_set_hash);
TN_HELPER_BODY(extern, tn_helper_set_hash_invalid);
TN_HELPER_BODY(extern, tn_helper_skb_pull_data);
TN_HELPER_BODY(extern, tn_helper_skb_change_tail);
TN_HELPER_BODY(extern, tn_helper_skb_change_head);
TN_HELPER_BODY(extern, tn_helper_xdp_adjust_head);
TN_HELPER_BODY(extern, tn_helper_xdp_adjust_meta);
TN_HELPER_BODY(extern, tn_helper_xdp_adjust_tail);

/* storage_helpers.c */
TN_HELPER_BODY(extern, tn_helper_current_task);
TN_HELPER_BODY(extern, tn_helper_storage_get);
TN_HELPER_BODY(extern, tn_helper_storage_delete);

/* map_helpers.c */
TN_HELPER_BODY(extern, tn_helper_map_push);
TN_HELPER_BODY(extern, tn_helper_map_pop);
TN_HELPER_BODY(extern, tn_helper_map_peek);
TN_HELPER_BODY(extern, tn_helper_perf_output);
TN_HELPER_BODY(extern, tn_helper_skb_output);
TN_HELPER_BODY(extern, tn_helper_xdp_output);

/* context_helpers.c */
TN_HELPER_BODY(extern, tn_helper_get_func_arg);
TN_HELPER_BODY(extern, tn_helper_get_func_ret);
TN_HELPER_BODY(extern, tn_helper_get_func_arg_cnt);
TN_HELPER_BODY(extern, tn_helper_get_func_ip);
TN_HELPER_BODY(extern, tn_helper_get_retval);
TN_HELPER_BODY(extern, tn_helper_set_retval);
TN_HELPER_BODY(extern, tn_helper_override_return);
TN_HELPER_BODY(extern, tn_helper_seq_printf);
TN_HELPER_BODY(extern, tn_helper_seq_write);

/* socket_helpers.c */
TN_HELPER_BODY(extern, tn_helper_get_socket_cookie);
TN_HELPER_BODY(extern, tn_helper_get_socket_uid);
TN_HELPER_BODY(extern, tn_helper_setsockopt);
TN_HELPER_BODY(extern, tn_helper_getsockopt);
TN_HELPER_BODY(extern, tn_helper_sock_ops_cb_flags_set);
TN_HELPER_BODY(extern, tn_helper_msg_apply_bytes);
TN_HELPER_BODY(extern, tn_helper_msg_cork_bytes);
TN_HELPER_BODY(extern, tn_helper_msg_pull_data);

/* btf_show_helpers.c */
TN_HELPER_BODY(extern, tn_helper_snprintf_btf);
TN_HELPER_BODY(extern, tn_helper_seq_printf_btf);

/* stack_helpers.c */
TN_HELPER_BODY(extern, tn_helper_get_stack);
TN_HELPER_BODY(extern, tn_helper_get_stackid);

/* packet_room.c */
TN_HELPER_BODY(extern, tn_helper_redirect);
TN_HELPER_BODY(extern, tn_helper_redirect_map);
TN_HELPER_BODY(extern, tn_helper_clone_redirect);
TN_HELPER_BODY(extern, tn_helper_check_mtu);
TN_HELPER_BODY(extern, tn_helper_skb_adjust_room);
TN_HELPER_BODY(extern, tn_helper_skb_load_bytes_relative);
TN_HELPER_BODY(extern, tn_helper_csum_level);

/* probe_helpers.c */
TN_HELPER_BODY(extern, tn_helper_probe_read);
TN_HELPER_BODY(extern, tn_helper_probe_read_str);

/* user_ring_helpers.c */
TN_HELPER_BODY(extern, tn_helper_user_ringbuf_drain);

/* arena_helpers.c */
TN_HELPER_BODY(extern, tn_kfunc_arena_alloc_pages);
TN_HELPER_BODY(extern, tn_kfunc_arena_free_pages);

/* timer_helpers.c */
TN_HELPER_BODY(extern, tn_helper_timer_init);
TN_HELPER_BODY(extern, tn_helper_timer_set_callback);
TN_HELPER_BODY(extern, tn_helper_timer_start);
TN_HELPER_BODY(extern, tn_helper_timer_cancel);
TN_HELPER_BODY(extern, tn_kfunc_wq_init);
TN_HELPER_BODY(extern, tn_kfunc_wq_set_callback);
TN_HELPER_BODY(extern, tn_kfunc_wq_start);

/* lock_helpers.c */
TN_HELPER_BODY(extern, tn_helper_spin_lock);
TN_HELPER_BODY(extern, tn_helper_spin_unlock);

/* kfuncs.c */
TN_HELPER_BODY(extern, tn_helper_throw);

/* dynptr.c */
TN_HELPER_BODY(extern, tn_dynptr_from_mem);
TN_HELPER_BODY(extern, tn_dynptr_from_packet);
TN_HELPER_BODY(extern, tn_dynptr_reserve);
TN_HELPER_BODY(extern, tn_dynptr_submit);
TN_HELPER_BODY(extern, tn_dynptr_discard);
TN_HELPER_BODY(extern, tn_dynptr_read);
TN_HELPER_BODY(extern, tn_dynptr_write);
TN_HELPER_BODY(extern, tn_dynptr_data);
TN_HELPER_BODY(extern, tn_dynptr_slice);
TN_HELPER_BODY(extern, tn_dynptr_slice_rdwr);
TN_HELPER_BODY(extern, tn_dynptr_adjust);
TN_HELPER_BODY(extern, tn_dynptr_is_null);
TN_HELPER_BODY(extern, tn_dynptr_is_rdonly);
TN_HELPER_BODY(extern, tn_dynptr_size);
TN_HELPER_BODY(extern, tn_dynptr_clone);

/* iter.c */
TN_HELPER_BODY(extern, tn_iter_num_new);
TN_HELPER_BODY(extern, tn_iter_num_next);
TN_HELPER_BODY(extern, tn_iter_num_destroy);
TN_HELPER_BODY(extern, tn_iter_bits_new);
TN_HELPER_BODY(extern, tn_iter_bits_next);
TN_HELPER_BODY(extern, tn_iter_bits_destroy);

/* text_helpers.c */
TN_HELPER_BODY(extern, tn_helper_strtol);
TN_HELPER_BODY(extern, tn_helper_strtoul);

#endif
