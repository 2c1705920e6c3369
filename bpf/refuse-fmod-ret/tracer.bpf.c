// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* A tracer that could change what the target returns. */
#include "trace.h"

SEC("fmod_ret/target")
int BPF_PROG(tracer, struct sk_buff *skb)
{
	trace_kind(EVENT_FENTRY);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
