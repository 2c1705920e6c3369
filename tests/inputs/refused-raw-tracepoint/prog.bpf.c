#include "trace.h"

SEC("raw_tp/no_such_event")
int on_event(void *ctx)
{
	trace_kind(EVENT_TARGET);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
