#include "trace.h"

SEC("raw_tp/task_rename")
int on_rename(void *ctx)
{
	__u64 sum = 0;

	for (__u64 i = 0; i < 10000; i++)
		asm volatile(".rept 200\n\t%0 += 1\n\t.endr" : "+r"(sum), "+r"(i));
	if (sum)
		trace_value(EVENT_TARGET, sum);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
