// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * An iterator has no context type of the kernel's own, so its tracers get five bare numbers, of which the first is the
 * context; there is a key while there is an element.
 */
#include "trace.h"

SEC("fentry/target")
int BPF_PROG(fentry, __u64 target_ctx)
{
	trace_value(EVENT_FENTRY, BPF_CORE_READ((struct bpf_iter__bpf_map_elem *)target_ctx, key) != 0);
	return 0;
}

SEC("fexit/target")
int BPF_PROG(fexit, __u64 a1, __u64 a2, __u64 a3, __u64 a4, __u64 a5, int retval)
{
	trace_retval(EVENT_FEXIT, retval);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
