// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Run on a packet of 64 bytes by BPF_PROG_TEST_RUN. */
#include "trace.h"

SEC("tc")
int target(struct __sk_buff *ctx)
{
	trace_kind(EVENT_TARGET);
	return 7;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
