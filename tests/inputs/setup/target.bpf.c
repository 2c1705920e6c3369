// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Programs that only count: each says in the trace that it ran, and lets pass what it is given. */
#include "trace.h"

SEC("xdp")
int packet(struct xdp_md *ctx)
{
	trace_kind(EVENT_TARGET);
	return XDP_PASS;
}

SEC("xdp")
int other_packet(struct xdp_md *ctx)
{
	trace_kind(EVENT_CALLEE);
	return XDP_PASS;
}

SEC("tc")
int filter(struct __sk_buff *ctx)
{
	trace_kind(EVENT_TARGET);
	return -1; /* TC_ACT_UNSPEC: the next one, too */
}

SEC("tc")
int other_filter(struct __sk_buff *ctx)
{
	trace_kind(EVENT_CALLEE);
	return -1;
}

SEC("cgroup_skb/egress")
int sent(struct __sk_buff *ctx)
{
	trace_kind(EVENT_TARGET);
	return 1;
}

SEC("cgroup_skb/egress")
int sent_too(struct __sk_buff *ctx)
{
	trace_kind(EVENT_CALLEE);
	return 1;
}

SEC("sk_lookup")
int lookup(struct bpf_sk_lookup *ctx)
{
	trace_kind(EVENT_TARGET);
	return 1; /* SK_PASS */
}

SEC("flow_dissector")
int dissector(struct __sk_buff *ctx)
{
	trace_kind(EVENT_TARGET);
	return 129; /* BPF_FLOW_DISSECTOR_CONTINUE, since 6.1; else it is BPF_OK or BPF_DROP */
}

SEC("raw_tp/task_rename")
int renamed(void *ctx)
{
	trace_kind(EVENT_TARGET);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
