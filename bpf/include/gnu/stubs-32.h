/* Which functions the C library of 32-bit x86 only pretends to have: none that a BPF program could call.
 *
 * Headers of the kernel for user space (<linux/if.h>, <linux/icmp.h>, <linux/in.h>) include headers of the C library,
 * whose <gnu/stubs.h> asks for this file where the compiler is for BPF, which is not x86_64. It comes with the 32-bit C
 * library (libc6-dev-i386) alone, of which a BPF program needs nothing.
 */
