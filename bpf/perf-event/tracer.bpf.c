// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* What a tracer of a perf event's program sees is the kernel's own `struct bpf_perf_event_data_kern`. */
#include "trace.h"

SEC("fentry/target")
int BPF_PROG(fentry, struct bpf_perf_event_data_kern *data)
{
	trace_value(EVENT_FENTRY, data->event->attr.sample_period);
	return 0;
}

SEC("fexit/target")
int BPF_PROG(fexit, struct bpf_perf_event_data_kern *data, int retval)
{
	trace_retval(EVENT_FEXIT, retval);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
