// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * The fentry makes its own target run. It does so but once: where nothing keeps it from running within itself,
 * bpf_trace_printk() would wait for its own lock.
 */
#include "trace.h"

int printed = 0;

SEC("fentry/replacement")
int BPF_PROG(fentry, int value)
{
	trace_kind(EVENT_FENTRY);
	if (!printed) {
		printed = 1;
		bpf_printk("the target runs");
	}
	return 0;
}

SEC("fexit/replacement")
int BPF_PROG(fexit, int value, int retval)
{
	trace_retval(EVENT_FEXIT, retval);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
