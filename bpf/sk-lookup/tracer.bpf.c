// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* What a tracer of a socket lookup sees is the kernel's own `struct bpf_sk_lookup_kern`. */
#include "trace.h"

SEC("fentry/target")
int BPF_PROG(fentry, struct bpf_sk_lookup_kern *lookup)
{
	trace_value(EVENT_FENTRY, lookup->protocol);
	return 0;
}

SEC("fexit/target")
int BPF_PROG(fexit, struct bpf_sk_lookup_kern *lookup, int retval)
{
	trace_retval(EVENT_FEXIT, retval);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
