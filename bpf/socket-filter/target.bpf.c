// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Run by BPF_PROG_TEST_RUN, and attached to a socket. */
#include "trace.h"

SEC("socket")
int target(struct __sk_buff *ctx)
{
	trace_kind(EVENT_TARGET);
	return 5;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
