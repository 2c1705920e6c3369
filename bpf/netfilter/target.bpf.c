// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Run by BPF_PROG_TEST_RUN, and attached to a hook; 1 lets a packet pass, 0 drops it. */
#include "trace.h"

SEC("netfilter")
int target(struct bpf_nf_ctx *ctx)
{
	trace_kind(EVENT_TARGET);
	return ctx->skb->len != 64;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
