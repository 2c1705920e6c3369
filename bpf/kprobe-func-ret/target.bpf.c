// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Two programs with the two types of a kprobe's context; their return values stand at different places. */
#include "trace.h"

SEC("kprobe/tcp_connect")
int k_tcp_connect(bpf_user_pt_regs_t *ctx)
{
	trace_kind(EVENT_KPROBE);
	return 3;
}

SEC("kprobe/tcp_v4_connect")
int k_tcp_v4_connect(struct pt_regs *ctx)
{
	trace_kind(EVENT_TARGET);
	return 5;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
