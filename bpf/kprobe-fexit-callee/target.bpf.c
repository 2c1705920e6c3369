// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Two programs that return different values: the caller 3, the handler that it tail-calls 7. */
#include "trace.h"

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
	__uint(max_entries, 1);
} progs SEC(".maps");

SEC("kprobe/handler")
int handler(bpf_user_pt_regs_t *ctx)
{
	trace_kind(EVENT_CALLEE);
	return 7;
}

SEC("kprobe/tcp_connect")
int k_tcp_connect(bpf_user_pt_regs_t *ctx)
{
	bpf_tail_call_static(ctx, &progs, 0);
	trace_kind(EVENT_BODY);
	return 3;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
