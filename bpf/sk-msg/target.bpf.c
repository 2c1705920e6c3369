// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Runs when a socket of the map sends, and lets the 16 bytes pass (1, SK_PASS). */
#include "trace.h"

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} sockets SEC(".maps");

SEC("sk_msg")
int target(struct sk_msg_md *ctx)
{
	trace_value(EVENT_TARGET, ctx->data_end - ctx->data);
	return 1;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
