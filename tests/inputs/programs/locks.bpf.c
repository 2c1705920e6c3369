/* A lock that is not given back. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct guarded {
	struct bpf_spin_lock lock;
	int value;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct guarded);
} locked SEC(".maps");

SEC("tc") int keeps_lock(struct __sk_buff *skb)
{
	__u32 at = 0;
	struct guarded *value = bpf_map_lookup_elem(&locked, &at);

	if (value)
		bpf_spin_lock(&value->lock);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
