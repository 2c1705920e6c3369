// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Tail calls from one fentry program to others. */
#include "trace.h"

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} progs SEC(".maps");

SEC("fentry/target")
int caller(__u64 *ctx)
{
	trace_kind(EVENT_FENTRY);
	bpf_tail_call(ctx, &progs, 0);
	return 0;
}

SEC("fentry/target")
int same(__u64 *ctx)
{
	trace_kind(EVENT_FENTRY_2);
	return 0;
}

SEC("fentry/other")
int other(__u64 *ctx)
{
	trace_kind(EVENT_BODY);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
