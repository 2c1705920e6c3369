// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* A program for raw tracepoints that names a BPF program instead. */
#include "trace.h"

SEC("tp_btf/target")
int BPF_PROG(tracer, struct sk_buff *skb)
{
	trace_kind(EVENT_FENTRY);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
