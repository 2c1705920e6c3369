// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Run when the agent, in a cgroup of its own, makes a socket, binds it and closes it; 1 lets it. */
#include "trace.h"

SEC("cgroup/sock_create")
int create(struct bpf_sock *ctx)
{
	trace_value(EVENT_TARGET, ctx->type);
	return 1;
}

SEC("cgroup/post_bind4")
int bind(struct bpf_sock *ctx)
{
	trace_value(EVENT_TARGET, ctx->protocol);
	return 1;
}

SEC("cgroup/sock_release")
int release(struct bpf_sock *ctx)
{
	trace_value(EVENT_TARGET, ctx->family);
	return 1;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
