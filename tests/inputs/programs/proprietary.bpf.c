/* What only programs under the GPL may call. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("tp/sched/sched_process_exec") int restricted(void *ctx)
{
	return bpf_probe_read_kernel(0, 0, 0);
}

SEC("tp_btf/task_rename") int traces(void *ctx)
{
	return 0;
}

char LICENSE[] SEC("license") = "Proprietary";
