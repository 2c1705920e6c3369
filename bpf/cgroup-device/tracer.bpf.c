// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* What a tracer of a device program sees is what the program itself sees. */
#include "trace.h"

SEC("fentry/target")
int BPF_PROG(fentry, struct bpf_cgroup_dev_ctx *device)
{
	trace_value(EVENT_FENTRY, device->access_type);
	return 0;
}

SEC("fexit/target")
int BPF_PROG(fexit, struct bpf_cgroup_dev_ctx *device, int retval)
{
	trace_retval(EVENT_FEXIT, retval);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
