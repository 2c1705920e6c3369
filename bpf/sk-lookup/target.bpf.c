// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * Runs when the kernel looks for the listener of a TCP connection (protocol 6), or for the socket of a datagram, which it
 * drops.
 */
#include "trace.h"

SEC("sk_lookup")
int target(struct bpf_sk_lookup *ctx)
{
	trace_kind(EVENT_TARGET);
	return ctx->protocol == 6;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
