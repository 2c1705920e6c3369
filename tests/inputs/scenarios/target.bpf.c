// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* A target that runs only when it is asked to: it counts, and says how long the packets were. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

enum mood { CALM = 1, BUSY = 2 };

struct packet {
	__u32 length;
	enum mood mood;
	char who[8];
	__u8 bytes[2];
};

struct packet *unused_packet __attribute__((unused));
const volatile __u32 wanted = 64;
const volatile __u32 answer = 3;
__u64 runs;
struct packet last;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 65536);
} packets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct packet);
} by_length SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} per_cpu SEC(".maps");

SEC("tc")
int target(struct __sk_buff *skb)
{
	struct packet made = { .length = skb->len, .mood = skb->len == wanted ? CALM : BUSY, .who = "target", .bytes = { 1, 2 } };
	__u32 zero = 0, *count = bpf_map_lookup_elem(&per_cpu, &zero);

	if (count)
		(*count)++;
	runs++;
	last = made;
	bpf_map_update_elem(&by_length, &made.length, &made, BPF_ANY);
	bpf_ringbuf_output(&packets, &made, sizeof(made), 0);
	return answer;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
