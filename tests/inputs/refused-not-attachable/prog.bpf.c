#include "trace.h"

SEC("syscall")
int called(void *ctx)
{
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
