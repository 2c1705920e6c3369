// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* What Linux 6.4 has: congestion controls with a link, by which one takes the place of another of its name. */
#include "trace.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct tcp_congestion_ops {
	void (*init)(struct sock *sk);
	__u32 (*ssthresh)(struct sock *sk);
	void (*cong_avoid)(struct sock *sk, __u32 ack, __u32 acked);
	__u32 (*undo_cwnd)(struct sock *sk);
	char name[16];
};
#pragma clang attribute pop

SEC("struct_ops")
void BPF_PROG(chosen, struct sock *sk)
{
	trace_kind(EVENT_TARGET);
}

SEC("struct_ops")
void BPF_PROG(chosen_later, struct sock *sk)
{
	trace_kind(EVENT_CALLEE);
}

SEC("struct_ops")
__u32 BPF_PROG(size, struct sock *sk)
{
	return 2;
}

SEC("struct_ops")
__u32 BPF_PROG(undone, struct sock *sk)
{
	return 2;
}

SEC("struct_ops")
void BPF_PROG(acknowledged, struct sock *sk, __u32 ack, __u32 acked)
{
}

#define CONTROL(variable, first, called) \
	SEC(".struct_ops.link") \
	struct tcp_congestion_ops variable = { \
		.init = (void *)first, \
		.ssthresh = (void *)size, \
		.cong_avoid = (void *)acknowledged, \
		.undo_cwnd = (void *)undone, \
		.name = called, \
	}

CONTROL(earlier, chosen, "mine");
CONTROL(later, chosen_later, "mine");
CONTROL(stranger, chosen_later, "other");

char LICENSE[] SEC("license") = "GPL";
