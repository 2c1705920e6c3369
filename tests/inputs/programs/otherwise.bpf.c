/* A function of the kernel, declared with arguments that it has not. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern int bpf_rcu_read_lock(int, int, int) __ksym;

SEC("tc") int kernel_function_otherwise(struct __sk_buff *skb)
{
	return bpf_rcu_read_lock(1, 2, 3);
}

char LICENSE[] SEC("license") = "GPL";
