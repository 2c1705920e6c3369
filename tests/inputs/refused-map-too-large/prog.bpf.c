#include "trace.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1 << 28);
	__type(key, __u32);
	__type(value, __u64);
} flows SEC(".maps");

SEC("raw_tp/task_rename")
int on_rename(void *ctx)
{
	__u32 key = 1;

	return bpf_map_delete_elem(&flows, &key);
}

char LICENSE[] SEC("license") = "GPL";
