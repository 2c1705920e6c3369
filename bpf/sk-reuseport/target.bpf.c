// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Runs when the kernel looks for the socket of a datagram (16 bytes and a UDP header of 8); 1 lets it pass. */
#include "trace.h"

int runs = 0;

SEC("sk_reuseport")
int target(struct sk_reuseport_md *ctx)
{
	trace_kind(EVENT_TARGET);
	return runs++ == 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
