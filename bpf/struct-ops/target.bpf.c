// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * One of the operations that the kernel has for tests only (net/bpf/bpf_dummy_struct_ops.c). They may call no helper,
 * so this one cannot write to the trace: what it returns shows that it ran.
 */
#include "trace.h"

SEC("struct_ops/test_1")
int BPF_PROG(target, struct bpf_dummy_ops_state *state)
{
	return 77;
}

SEC(".struct_ops")
struct bpf_dummy_ops dummy = {
	.test_1 = (void *)target,
};

char LICENSE[] SEC("license") = "Dual MIT/GPL";
