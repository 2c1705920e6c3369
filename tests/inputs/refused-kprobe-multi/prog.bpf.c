#include "trace.h"

SEC("kprobe.multi/no_such_function")
int on_call(void *ctx)
{
	trace_kind(EVENT_TARGET);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
