#include "trace.h"

extern int no_such_kfunc(int value) __ksym;

SEC("tc")
int classify(struct __sk_buff *skb)
{
	return no_such_kfunc(skb->len);
}

char LICENSE[] SEC("license") = "GPL";
