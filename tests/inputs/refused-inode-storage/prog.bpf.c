#include "trace.h"

#define BPF_MAP_TYPE_INODE_STORAGE 28

struct {
	__uint(type, BPF_MAP_TYPE_INODE_STORAGE);
	__uint(map_flags, 1); /* BPF_F_NO_PREALLOC */
	__type(key, int);
	__type(value, __u64);
} of_inodes SEC(".maps");

SEC("raw_tp/task_rename")
int on_rename(void *ctx)
{
	trace_kind(EVENT_TARGET);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
