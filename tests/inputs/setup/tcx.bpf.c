// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* What Linux 6.6 has: programs of one hook in an order. */
#include "trace.h"

SEC("tcx/ingress")
int first(struct __sk_buff *ctx)
{
	trace_kind(EVENT_TARGET);
	return -1; /* TCX_NEXT */
}

SEC("tcx/ingress")
int second(struct __sk_buff *ctx)
{
	trace_kind(EVENT_CALLEE);
	return -1;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
