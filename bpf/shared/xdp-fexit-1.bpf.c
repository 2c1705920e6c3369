// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Live while the others come. */
#include "trace.h"

SEC("fexit/target")
int BPF_PROG(fexit, struct xdp_buff *xdp, int retval)
{
	trace_retval(EVENT_FEXIT, retval);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
