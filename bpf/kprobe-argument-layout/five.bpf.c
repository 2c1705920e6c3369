// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Reads the return value behind five arguments, which this target does not have. */
#include "trace.h"

SEC("fexit/k_tcp_connect")
int five(__u64 *ctx)
{
	trace_retval(EVENT_FEXIT, (int)ctx[5]);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
