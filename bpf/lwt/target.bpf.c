// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Each has a route of its own and drops (2, BPF_DROP) the one datagram that takes it. */
#include "trace.h"

SEC("lwt_in")
int target_in(struct __sk_buff *ctx)
{
	trace_value(EVENT_TARGET, ctx->len);
	return 2;
}

SEC("lwt_out")
int target_out(struct __sk_buff *ctx)
{
	trace_value(EVENT_TARGET, ctx->len);
	return 2;
}

SEC("lwt_xmit")
int target_xmit(struct __sk_buff *ctx)
{
	trace_value(EVENT_TARGET, ctx->len);
	return 2;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
