// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Comes last. */
#include "trace.h"

SEC("fexit/target")
int BPF_PROG(fexit_3, struct xdp_buff *xdp, int retval)
{
	trace_retval(EVENT_FEXIT_3, retval);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
