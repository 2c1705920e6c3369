#include "trace.h"

extern int CONFIG_NO_SUCH_VALUE __kconfig;

SEC("raw_tp/task_rename")
int on_rename(void *ctx)
{
	trace_value(EVENT_TARGET, CONFIG_NO_SUCH_VALUE);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
