// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Run by BPF_PROG_TEST_RUN, and attached to a cgroup; of 0 to 3, what an egress program may return, 3 lets pass. */
#include "trace.h"

SEC("cgroup_skb/egress")
int target(struct __sk_buff *ctx)
{
	trace_kind(EVENT_TARGET);
	return 3;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
