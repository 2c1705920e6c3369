// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* What Linux 6.4 has: a program for what a network namespace sends. */
#include "trace.h"

SEC("netfilter")
int outgoing(void *ctx)
{
	trace_kind(EVENT_TARGET);
	return 1; /* NF_ACCEPT */
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
