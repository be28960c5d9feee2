"""The process: channels in, deliveries out, timers, wiring."""
