// SPDX-License-Identifier: GPL-2.0
// libbpf knows the section "tc/ingress" since 1.3 (libbpf.c, section_defs[]); before, "tc" and "classifier" alone.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("tc/ingress")
int on_packet(struct __sk_buff *skb)
{
	return skb->len > 0 ? 7 : 0;
}

char LICENSE[] SEC("license") = "GPL";
