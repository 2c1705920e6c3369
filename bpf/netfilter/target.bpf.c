// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Run on a packet of 64 bytes by BPF_PROG_TEST_RUN; 1 lets it pass. */
#include "trace.h"

SEC("netfilter")
int target(struct bpf_nf_ctx *ctx)
{
	trace_kind(EVENT_TARGET);
	return 1;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
