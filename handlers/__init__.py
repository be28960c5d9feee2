"""What people do: one function per act. Nothing here commits, sends or reads the clock on its own."""
