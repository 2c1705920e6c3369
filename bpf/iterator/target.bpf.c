// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Runs for the one element of its map, and once more at the end. */
#include "trace.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} elements SEC(".maps");

SEC("iter/bpf_map_elem")
int target(struct bpf_iter__bpf_map_elem *ctx)
{
	trace_kind(EVENT_TARGET);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
