"""Where kernels come from: one small interface (`files.KernelFiles`), one module per source."""
