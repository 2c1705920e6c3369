#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
	__type(value, __u64);
} records SEC(".maps");

SEC("raw_tp/task_rename")
int on_rename(void *ctx)
{
	__u64 record = 1;

	return bpf_ringbuf_output(&records, &record, sizeof(record), 0);
}

char LICENSE[] SEC("license") = "GPL";
