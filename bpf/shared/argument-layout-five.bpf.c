// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Reads the return value behind five arguments, and whether it also stands behind one. */
#include "trace.h"

SEC("fexit/k_tcp_connect")
int five(__u64 *ctx)
{
	trace_retval(EVENT_FEXIT, (int)ctx[5]);
	trace_value(EVENT_FEXIT_2, ctx[1] == ctx[5]);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
