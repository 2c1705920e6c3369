// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
#include "trace.h"

SEC("fentry/target")
int BPF_PROG(fentry, struct sk_buff *skb)
{
	trace_kind(EVENT_FENTRY);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
