#include "trace.h"

extern const void no_such_symbol __ksym;

SEC("raw_tp/task_rename")
int on_rename(void *ctx)
{
	trace_value(EVENT_TARGET, (long)&no_such_symbol);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
