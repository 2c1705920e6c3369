// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* A packet program that counts packets by their length, and says each in a ring buffer. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct packet {
	__u32 length;
	char what[8];
};

struct packet *unused_packet __attribute__((unused)); /* else clang leaves the type out */
const volatile __u32 smallest = 0;
__u64 seen;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} packets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u64);
} by_length SEC(".maps");

SEC("tc")
int target(struct __sk_buff *skb)
{
	struct packet made = { .length = skb->len, .what = "packet" };
	__u64 one = 1, *count;

	if (skb->len < smallest)
		return 2;
	seen++;
	count = bpf_map_lookup_elem(&by_length, &made.length);
	if (count)
		__sync_fetch_and_add(count, 1);
	else
		bpf_map_update_elem(&by_length, &made.length, &one, BPF_ANY);
	bpf_ringbuf_output(&packets, &made, sizeof(made), 0);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
