// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* What a tracer of a netfilter program sees is the very context, `struct bpf_nf_ctx`. */
#include "trace.h"

SEC("fentry/target")
int BPF_PROG(fentry, struct bpf_nf_ctx *nf)
{
	trace_value(EVENT_FENTRY, nf->skb->len);
	return 0;
}

SEC("fexit/target")
int BPF_PROG(fexit, struct bpf_nf_ctx *nf, int retval)
{
	trace_retval(EVENT_FEXIT, retval);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
