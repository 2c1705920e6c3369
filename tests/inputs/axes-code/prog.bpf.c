// SPDX-License-Identifier: GPL-2.0
// The bound of this loop holds for both compilers. clang 14 compares a 32-bit copy of it and counts with another one,
// of which the verifier knows nothing (found by trying, on 5.10 to 6.12): "R0 min value is outside of the allowed
// memory range". What clang 19 makes of the same lines is loaded.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, int[16]);
} numbers SEC(".maps");

SEC("tc")
int sum(struct __sk_buff *skb)
{
	__u32 key = 0;
	int *value = bpf_map_lookup_elem(&numbers, &key);
	if (!value)
		return 0;
	int total = 0, count = skb->mark;
	if (count > 16)
		count = 16;
	for (int i = 0; i < count; i++)
		total += value[i];
	return total;
}

char LICENSE[] SEC("license") = "GPL";
