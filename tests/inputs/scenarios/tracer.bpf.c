// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Tracers of the target, which a scenario names; what they see goes through a perf event array. */
#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct entry {
	__u64 place;
};

struct entry *unused_entry __attribute__((unused));

struct {
	__uint(type, 4); /* BPF_MAP_TYPE_PERF_EVENT_ARRAY */
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} entries SEC(".maps");

SEC("fentry/target")
int BPF_PROG(before, struct sk_buff *skb)
{
	struct entry made = { .place = 1 };

	bpf_perf_event_output(ctx, &entries, 0xffffffffULL, &made, sizeof(made));
	return 0;
}

SEC("fexit/target")
int BPF_PROG(after, struct sk_buff *skb, int result)
{
	struct entry made = { .place = 2 };

	bpf_perf_event_output(ctx, &entries, 0xffffffffULL, &made, sizeof(made));
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
