// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* A kprobe program that takes `struct pt_regs`, and leaves the address of its context for the tracer to compare. */
#include "trace.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} contexts SEC(".maps");

SEC("kprobe/tcp_connect")
int k_tcp_connect(struct pt_regs *ctx)
{
	__u32 zero = 0;
	__u64 *context = bpf_map_lookup_elem(&contexts, &zero);

	if (context)
		*context = (__u64)ctx;
	trace_kind(EVENT_KPROBE);
	return 3;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
