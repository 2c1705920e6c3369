// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * An fsession program (BPF_TRACE_FSESSION) runs before and after its target. It has no section name in the libbpf
 * of the guest, so the case sets its attach type. Before the target the return value reads as zero.
 */
#include "trace.h"

SEC("fexit/target")
int BPF_PROG(session, struct sk_buff *skb, int retval)
{
	trace_retval(EVENT_FSESSION, retval);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
