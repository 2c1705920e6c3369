// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Tail-calls, so what comes back to fexit is the callee's return value. */
#include "trace.h"

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} progs SEC(".maps");

SEC("xdp")
int callee(struct xdp_md *ctx)
{
	trace_kind(EVENT_CALLEE);
	return XDP_TX;
}

SEC("xdp")
int target(struct xdp_md *ctx)
{
	trace_kind(EVENT_TARGET);
	bpf_tail_call(ctx, &progs, 0);
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
