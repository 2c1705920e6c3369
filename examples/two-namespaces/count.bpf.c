// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Counts what a device receives: UDP over IPv4 by its port, all else together. Every packet passes. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct counted {
	__u64 packets;
	__u64 bytes;
};

__u64 others = 0;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, struct counted);
} by_port SEC(".maps");

SEC("xdp")
int count(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *ethernet = data;
	struct iphdr *ip = (void *)(ethernet + 1);
	struct udphdr *udp = (void *)(ip + 1); /* nobody here sends options of IPv4 */
	struct counted first = {}, *found;
	__u32 port;

	if ((void *)(udp + 1) > end || ethernet->h_proto != bpf_htons(ETH_P_IP) || ip->protocol != IPPROTO_UDP) {
		others++;
		return XDP_PASS;
	}
	port = bpf_ntohs(udp->dest);
	bpf_map_update_elem(&by_port, &port, &first, BPF_NOEXIST);
	found = bpf_map_lookup_elem(&by_port, &port);
	if (found) {
		found->packets++;
		found->bytes += end - data;
	}
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
