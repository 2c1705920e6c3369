// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Comes while the first is live, and an fentry with it. */
#include "trace.h"

SEC("fexit/target")
int BPF_PROG(fexit_2, struct xdp_buff *xdp, int retval)
{
	trace_retval(EVENT_FEXIT_2, retval);
	return 0;
}

SEC("fentry/target")
int BPF_PROG(fentry, struct xdp_buff *xdp)
{
	trace_kind(EVENT_FENTRY);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
