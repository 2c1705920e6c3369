// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Run on a packet of 64 bytes by BPF_PROG_TEST_RUN. */
#include "trace.h"

SEC("xdp")
int target(struct xdp_md *ctx)
{
	trace_kind(EVENT_TARGET);
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
