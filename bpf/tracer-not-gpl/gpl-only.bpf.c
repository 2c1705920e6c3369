// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Calls a helper that is for GPL programs only. */
#include "trace.h"

SEC("fentry/target")
int BPF_PROG(fentry, struct sk_buff *skb)
{
	__u64 value = 0;

	bpf_probe_read_kernel(&value, sizeof(value), skb);
	trace_value(EVENT_FENTRY, value);
	return 0;
}

char LICENSE[] SEC("license") = "Proprietary";
