// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Programs whose targets are chosen at run time, or are another program, or a map. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u64);
} numbers SEC(".maps");

#define RUNS(section, name) \
	SEC(section) int name(void *ctx) { return 0; }

RUNS("kprobe", at_kprobe)
RUNS("kretprobe", at_kretprobe)
RUNS("ksyscall", at_ksyscall)
RUNS("kprobe.multi", kprobes)
RUNS("uprobe", at_uprobe)
RUNS("uretprobe", at_uretprobe)
RUNS("uprobe.multi", uprobes)
RUNS("tp", tracepoint)
RUNS("raw_tp", raw)
RUNS("fentry", at_fentry)
RUNS("lsm", hook)
RUNS("tp_btf", typed)
RUNS("iter/bpf_map_elem", elements)
RUNS("iter/cgroup", groups)

SEC("tc")
int target(struct __sk_buff *skb)
{
	return 0;
}

SEC("freplace")
int replacement(struct __sk_buff *skb)
{
	return 0;
}
