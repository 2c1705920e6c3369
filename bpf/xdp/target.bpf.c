// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Run by BPF_PROG_TEST_RUN, and attached to a device. */
#include "trace.h"

SEC("xdp")
int target(struct xdp_md *ctx)
{
	trace_kind(EVENT_TARGET);
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
