// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* What a tracer of an XDP program sees is the kernel's own `struct xdp_buff`. */
#include "trace.h"

SEC("fentry/target")
int BPF_PROG(fentry, struct xdp_buff *xdp)
{
	trace_value(EVENT_FENTRY, xdp->data_end - xdp->data);
	return 0;
}

SEC("fexit/target")
int BPF_PROG(fexit, struct xdp_buff *xdp, int retval)
{
	trace_retval(EVENT_FEXIT, retval);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
