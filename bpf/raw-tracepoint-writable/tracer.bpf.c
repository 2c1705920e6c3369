// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * What a tracer of a raw tracepoint's program sees is a pointer to numbers (u64), which is no structure: it may not be
 * dereferenced, but read through a helper. The first is the address of the error.
 */
#include "trace.h"

static __always_inline __u64 error_of(__u64 *args)
{
	int *address = 0, error = 0;

	bpf_probe_read_kernel(&address, sizeof(address), args);
	bpf_probe_read_kernel(&error, sizeof(error), address);
	return (__u32)-error;
}

SEC("fentry/target")
int BPF_PROG(fentry, __u64 *args)
{
	trace_value(EVENT_FENTRY, error_of(args));
	return 0;
}

SEC("fexit/target")
int BPF_PROG(fexit, __u64 *args, int retval)
{
	trace_add(EVENT_FEXIT, EVENT_HAS_RETVAL | EVENT_HAS_VALUE, retval, error_of(args));
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
