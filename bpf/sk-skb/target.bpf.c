// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Run when a socket of the map receives: one says how long the message is, the other drops it (all but 1, SK_PASS). */
#include "trace.h"

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} sockets SEC(".maps");

SEC("sk_skb/stream_parser")
int parser(struct __sk_buff *ctx)
{
	trace_kind(EVENT_TARGET);
	return ctx->len;
}

SEC("sk_skb/stream_verdict")
int verdict(struct __sk_buff *ctx)
{
	trace_kind(EVENT_CALLEE);
	return 7;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
