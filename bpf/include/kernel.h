/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/*
 * The few kernel types that the cases use: what a full vmlinux.h would hold, without its 100,000 lines.
 * Accesses to the kernel's own structures are relocated by libbpf to the layout of the running kernel (CO-RE), so
 * only names and types of their members matter here, neither their order nor what is left out. libbpf reads all of
 * the kernel's BTF for that, so what user space knows the layout of is not relocated.
 *
 * A source may include a vmlinux.h or headers of user space (<linux/bpf.h>, ...) as well, in any order: what they define
 * is left out here. Where they come behind this file, and the source does not compile for that, harness/supply/objects.py has
 * the compiler read them first; it knows their guards, too.
 */
#ifndef BPFMATRIX_KERNEL_H
#define BPFMATRIX_KERNEL_H

#ifndef __VMLINUX_H__

typedef unsigned char __u8;
typedef signed char __s8;
typedef unsigned short __u16;
typedef short __s16;
typedef unsigned int __u32;
typedef int __s32;
typedef unsigned long long __u64;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;

#if !defined(__bool_true_false_are_defined) && (!defined(__STDC_VERSION__) || __STDC_VERSION__ < 202311L)
typedef _Bool bool;
#define true 1
#define false 0
#endif

#ifndef __LINUX_BPF_H__

enum bpf_map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PROG_ARRAY = 3,
	BPF_MAP_TYPE_PERF_EVENT_ARRAY = 4,
	BPF_MAP_TYPE_SOCKMAP = 15,
};

enum {
	BPF_ANY = 0,
};

#define BPF_F_CURRENT_CPU 0xffffffffULL

/* What programs of the network are given; the kernel rewrites accesses to them. */
struct xdp_md {
	__u32 data;
	__u32 data_end;
};

struct __sk_buff {
	__u32 len;
};

struct bpf_sock_addr {
	__u32 user_family;
};

struct bpf_sock_ops {
	__u32 op;
};

struct bpf_sk_lookup {
	__u64 cookie;
	__u32 family;
	__u32 protocol;
};

struct sk_reuseport_md {
	void *data __attribute__((aligned(8)));
	void *data_end __attribute__((aligned(8)));
	__u32 len;
};

struct sk_msg_md {
	void *data __attribute__((aligned(8)));
	void *data_end __attribute__((aligned(8)));
};

struct bpf_sock {
	__u32 bound_dev_if;
	__u32 family;
	__u32 type;
	__u32 protocol;
};

struct bpf_sockopt {
	void *sk __attribute__((aligned(8)));
	void *optval __attribute__((aligned(8)));
	void *optval_end __attribute__((aligned(8)));
	__s32 level;
	__s32 optname;
};

struct bpf_sysctl {
	__u32 write;
};

/* Its tracers are given the same. */
struct bpf_cgroup_dev_ctx {
	__u32 access_type;
	__u32 major;
	__u32 minor;
};

/* What programs of tracing are given. */
struct bpf_raw_tracepoint_args {
	__u64 args[0];
};

enum xdp_action {
	XDP_ABORTED = 0,
	XDP_DROP = 1,
	XDP_PASS = 2,
	XDP_TX = 3,
};

#endif /* __LINUX_BPF_H__ */

/*
 * A kprobe's context. The kernel passes its `struct pt_regs`; what a BPF program may name is
 * `bpf_user_pt_regs_t`, which is another structure on some architectures
 * (include/uapi/asm-generic/bpf_perf_event.h, arch/<arch>/include/uapi/asm/bpf_perf_event.h). Both are laid out as
 * user space knows them (arch/<arch>/include/uapi/asm/ptrace.h), so nothing is relocated: here order counts.
 */
#if !defined(_ASM_X86_PTRACE_H) && !defined(__ASM_PTRACE_H) && !defined(_ASM_RISCV_PTRACE_H) && \
	!defined(_S390_PTRACE_H) && !defined(_ASM_POWERPC_PTRACE_H)

#ifndef __BPF_TRACING_H__
/* bpf_tracing.h asks for this to name registers as the kernel does (di), not as user space does (rdi). */
#define __VMLINUX_H__
#endif

#if defined(__TARGET_ARCH_x86) && defined(__BPF_TRACING_H__)
struct pt_regs {
	unsigned long r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
	unsigned long orig_rax, rip, cs, eflags, rsp, ss;
};
typedef struct pt_regs bpf_user_pt_regs_t;
#elif defined(__TARGET_ARCH_x86)
struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di;
	unsigned long orig_ax, ip, cs, flags, sp, ss;
};
typedef struct pt_regs bpf_user_pt_regs_t;
#elif defined(__TARGET_ARCH_arm64)
struct user_pt_regs {
	__u64 regs[31], sp, pc, pstate;
};
struct pt_regs {
	union {
		struct user_pt_regs user_regs;
		struct {
			__u64 regs[31], sp, pc, pstate;
		};
	};
};
typedef struct user_pt_regs bpf_user_pt_regs_t;
#elif defined(__TARGET_ARCH_s390)
typedef struct {
	unsigned long mask, addr;
} psw_t;
typedef struct {
	unsigned long args[1];
	psw_t psw;
	unsigned long gprs[16];
} user_pt_regs;
struct pt_regs {
	union {
		user_pt_regs user_regs;
		struct {
			unsigned long args[1];
			psw_t psw;
			unsigned long gprs[16];
		};
	};
};
typedef user_pt_regs bpf_user_pt_regs_t;
#elif defined(__TARGET_ARCH_riscv)
struct user_regs_struct {
	unsigned long pc, ra, sp, gp, tp, t0, t1, t2, s0, s1, a0, a1, a2, a3, a4, a5, a6, a7;
	unsigned long s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, t3, t4, t5, t6;
};
struct pt_regs {
	unsigned long epc, ra, sp, gp, tp, t0, t1, t2, s0, s1, a0, a1, a2, a3, a4, a5, a6, a7;
	unsigned long s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, t3, t4, t5, t6, status, badaddr, cause, orig_a0;
};
typedef struct user_regs_struct bpf_user_pt_regs_t;
#elif defined(__TARGET_ARCH_powerpc)
struct user_pt_regs {
	unsigned long gpr[32], nip, msr, orig_gpr3, ctr, link, xer, ccr, softe, trap, dar, dsisr, result;
};
struct pt_regs {
	union {
		struct user_pt_regs user_regs;
		struct {
			unsigned long gpr[32], nip, msr, orig_gpr3, ctr, link, xer, ccr, softe, trap, dar, dsisr, result;
		};
	};
};
typedef struct user_pt_regs bpf_user_pt_regs_t;
#else
#error "kernel.h has no pt_regs for this architecture"
#endif

#ifndef __LINUX_BPF_PERF_EVENT_H__
struct bpf_perf_event_data {
	bpf_user_pt_regs_t regs;
	__u64 sample_period;
	__u64 addr;
};
#endif

#endif /* pt_regs */

/* From here on accesses are relocated to the layout of the running kernel. */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

#ifndef _LINUX_IN6_H
struct in6_addr {
	union {
		__u8 u6_addr8[16];
	} in6_u;
};
#endif

/* What tracers of the network's programs are given. */
struct xdp_buff {
	void *data;
	void *data_end;
};

struct sk_buff {
	unsigned int len;
};

struct sock_common {
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
};

struct sock {
	struct sock_common __sk_common;
	__u16 sk_protocol;
};

struct sk_msg_sg {
	__u32 size;
};

struct sk_msg {
	struct sk_msg_sg sg;
};

struct bpf_sockopt_kern {
	__s32 optname;
};

struct bpf_sysctl_kern {
	unsigned long new_len;
};

struct bpf_sock_addr_kern {
	struct sock *sk;
};

struct bpf_sock_ops_kern {
	__u32 op;
};

struct bpf_sk_lookup_kern {
	__u16 family;
	__u16 protocol;
};

struct sk_reuseport_kern {
	struct sk_buff *skb;
};

struct bpf_flow_dissector {
	const void *data;
	const void *data_end;
};

struct bpf_nf_ctx {
	struct sk_buff *skb;
};

/* What tracers of a perf event's program are given. */
#ifndef _LINUX_PERF_EVENT_H
struct perf_event_attr {
	__u64 sample_period;
};
#endif

struct perf_event {
	struct perf_event_attr attr;
};

struct bpf_perf_event_data_kern {
	struct perf_event *event;
};

/* What iterators are given. */
struct bpf_iter__bpf_map_elem {
	void *key;
};

#pragma clang attribute pop

/* The kernel's own operations for tests of BPF_MAP_TYPE_STRUCT_OPS (net/bpf/bpf_dummy_struct_ops.c). */
struct bpf_dummy_ops_state {
	int val;
};

struct bpf_dummy_ops {
	int (*test_1)(struct bpf_dummy_ops_state *cb);
};

#endif /* __VMLINUX_H__ when this file began */

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_tracing.h>

#endif
