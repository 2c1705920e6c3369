// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Takes `struct pt_regs *` and `int retval`, as the seed does, and reads through neither. */
#include "trace.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} contexts SEC(".maps");

SEC("fexit/k_tcp_connect")
int BPF_PROG(fexit, struct pt_regs *regs, int retval)
{
	__u32 zero = 0;
	__u64 *context = bpf_map_lookup_elem(&contexts, &zero);

	/* Whether the first argument is the target's context. */
	trace_value(EVENT_FENTRY, context && *context == (__u64)regs);
	trace_retval(EVENT_FEXIT, retval);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
