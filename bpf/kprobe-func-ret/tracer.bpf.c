// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Ask the kernel for the return value, wherever it stands. */
#include "trace.h"

static __always_inline int show(void *ctx, enum event_kind kind)
{
	__u64 retval = 0;

	if (bpf_get_func_ret(ctx, &retval))
		return 0;
	trace_retval(kind, (int)retval);
	return 0;
}

SEC("fexit/k_tcp_connect")
int fexit(__u64 *ctx)
{
	return show(ctx, EVENT_FEXIT);
}

SEC("fexit/k_tcp_v4_connect")
int fexit_pt_regs(__u64 *ctx)
{
	return show(ctx, EVENT_FEXIT_2);
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
