#!/bin/sh
# Does this kernel describe its own types, which CO-RE programs need?
if [ ! -r /sys/kernel/btf/vmlinux ]; then
	echo "this kernel has no BTF"
	exit 1
fi
echo "$(uname -r): $(wc -c < /sys/kernel/btf/vmlinux) bytes of BTF"
