// SPDX-License-Identifier: GPL-2.0
/* Programs whose instructions can be counted by hand: without branches the verifier processes each of them once. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
__attribute__((naked)) int thousand(void)
{
	asm volatile(".rept 999\n"
		     "r0 = 2\n"
		     ".endr\n"
		     "exit\n");
}

SEC("xdp")
__attribute__((naked)) int ten(void)
{
	asm volatile(".rept 9\n"
		     "r0 = 2\n"
		     ".endr\n"
		     "exit\n");
}

char _license[] SEC("license") = "GPL";
