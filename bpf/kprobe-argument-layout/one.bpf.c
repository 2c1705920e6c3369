// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Reads the return value behind one argument. */
#include "trace.h"

SEC("fexit/k_tcp_connect")
int one(__u64 *ctx)
{
	trace_retval(EVENT_FEXIT, (int)ctx[1]);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
