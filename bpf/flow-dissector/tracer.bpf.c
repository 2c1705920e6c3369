// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* What a tracer of a flow dissector sees is the kernel's own `struct bpf_flow_dissector`. */
#include "trace.h"

SEC("fentry/target")
int BPF_PROG(fentry, struct bpf_flow_dissector *flow)
{
	trace_value(EVENT_FENTRY, flow->data_end - flow->data);
	return 0;
}

SEC("fexit/target")
int BPF_PROG(fexit, struct bpf_flow_dissector *flow, int retval)
{
	trace_retval(EVENT_FEXIT, retval);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
