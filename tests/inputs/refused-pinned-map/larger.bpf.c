#include "trace.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} pinned_count SEC(".maps");

SEC("raw_tp/task_rename")
int on_rename(void *ctx)
{
	__u32 zero = 0;

	if (bpf_map_lookup_elem(&pinned_count, &zero))
		trace_kind(EVENT_TARGET);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
