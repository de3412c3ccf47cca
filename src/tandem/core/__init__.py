"""The only part that decides: values in, plan out, no I/O."""
