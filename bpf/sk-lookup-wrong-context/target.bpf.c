// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* A socket lookup whose argument claims to be a packet. It never looks into it, so it may be loaded. */
#include "trace.h"

SEC("sk_lookup")
int target(struct __sk_buff *ctx)
{
	trace_kind(EVENT_TARGET);
	return 1;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
