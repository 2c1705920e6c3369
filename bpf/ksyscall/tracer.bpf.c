// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * What a tracer sees are the registers of the kernel's function. Where the kernel wraps its system calls, the function's
 * one argument is the address of the registers of user space. The second argument of the system call is looked at: some
 * architectures overwrite the first one's register before the function is called.
 */
#include "trace.h"

extern _Bool LINUX_HAS_SYSCALL_WRAPPER __kconfig;

SEC("fentry/target")
int BPF_PROG(fentry, bpf_user_pt_regs_t *regs)
{
	bpf_user_pt_regs_t *user = (bpf_user_pt_regs_t *)PT_REGS_PARM1(regs);
	unsigned long argument = 0;

	if (LINUX_HAS_SYSCALL_WRAPPER)
		bpf_probe_read_kernel(&argument, sizeof(argument), &PT_REGS_PARM2(user));
	else
		argument = PT_REGS_PARM2(regs);
	trace_value(EVENT_FENTRY, argument);
	return 0;
}

SEC("fexit/target")
int BPF_PROG(fexit, bpf_user_pt_regs_t *regs, int retval)
{
	trace_retval(EVENT_FEXIT, retval);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
