// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Two programs that call a function of their own each: the agent runs one, every bpf_trace_printk() the other. */
#include "trace.h"

__attribute__((noinline)) int stub(int value)
{
	asm volatile("" : "+r"(value));
	return value;
}

SEC("raw_tp/sched_process_exit")
int target(struct bpf_raw_tracepoint_args *ctx)
{
	trace_kind(EVENT_TARGET);
	return stub(5);
}

SEC("raw_tp/bpf_trace_printk")
int printed(struct bpf_raw_tracepoint_args *ctx)
{
	trace_kind(EVENT_BODY);
	return stub(5);
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
