#include "trace.h"

SEC("kprobes/vfs_read")
int on_read(void *ctx)
{
	trace_kind(EVENT_TARGET);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
