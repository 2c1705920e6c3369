// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* A quiet target that is loaded without BTF. */
#include "trace.h"

SEC("tc")
int target(struct __sk_buff *skb)
{
	trace_kind(EVENT_TARGET);
	return 3;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
