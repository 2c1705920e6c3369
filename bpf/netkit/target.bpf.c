// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Drops (2, NETKIT_DROP) the one datagram that is sent over the pair of devices. */
#include "trace.h"

SEC("netkit/primary")
int target(struct __sk_buff *ctx)
{
	trace_value(EVENT_TARGET, ctx->len);
	return 2;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
